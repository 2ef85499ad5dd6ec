import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEvents } from '../../../controller/store/events.js';
import { listOutputs } from '../../../controller/store/outputs.js';
import { signEnvelope } from '../../../protocol/envelope.js';
import { type CoreWithNode, startCoreWithNode } from '../../support/core-with-node.js';
import type { Offered } from '../../support/scripted-agent.js';

test('a piece of output that comes again within one commit is told of once, as it was stored', async (t) => {
  const { muster, agent, offer } = await startCoreWithNode(t);
  const { offered } = await offer();
  const say = sayer({ muster, agent }, offered);

  say({ seq: 0, data: 'one', offset: 0 });
  say({ seq: 0, data: 'one', offset: 0 });
  say({ seq: 1, data: 'two', offset: 3 });
  say({ seq: 0, data: 'other', offset: 7 });
  await muster.core.ingest.drained();

  assert.deepEqual(await toldPieces(muster), [
    [0, 0],
    [1, 3],
  ]);
  assert.deepEqual(await storedTexts(muster, offered), ['one', 'two']);
});

test('a piece of output that comes again after its commit is not told of again', async (t) => {
  const { muster, agent, offer } = await startCoreWithNode(t);
  const { offered } = await offer();
  const say = sayer({ muster, agent }, offered);

  say({ seq: 0, data: 'one', offset: 0 });
  await muster.core.ingest.drained();
  say({ seq: 0, data: 'other', offset: 7 });
  await muster.core.ingest.drained();

  assert.deepEqual(await toldPieces(muster), [[0, 0]]);
  assert.deepEqual(await storedTexts(muster, offered), ['one']);
});

type Piece = Readonly<{ seq: number; data: string; offset: number }>;

/** Hands the controller pieces as its connection does; those of one turn are stored by one commit. */
function sayer({ muster, agent }: Pick<CoreWithNode, 'muster' | 'agent'>, { request }: Offered) {
  const { node, keys } = agent;
  const levels = { node };
  return (piece: Piece): void => {
    const about = { v: 1, execution_id: request.execution_id, node, org: 'default' };
    const output = { ...about, ...piece, stream: 'stdout', encoding: 'utf-8', last: false };
    const payload = Buffer.from(signEnvelope('muster-output', JSON.stringify(output), keys.signing));
    muster.core.ingest.take({ kind: 'output', levels, payload });
  };
}

/** `seq` and `offset` of each piece that was told of, in order. */
async function toldPieces({ store }: CoreWithNode['muster']): Promise<unknown[]> {
  const rows = await readEvents(store.read, 0);
  const events: Record<string, unknown>[] = rows.flatMap(({ body }) => JSON.parse(body));
  return events.flatMap(({ type, seq, offset }) => (type === 'output' ? [[seq, offset]] : []));
}

async function storedTexts({ store }: CoreWithNode['muster'], { request }: Offered): Promise<string[]> {
  const key = { executionId: request.execution_id, node: 'pump-1' };
  return (await listOutputs(store.read, key, 'stdout')).map(({ data }) => data);
}
