import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INGESTED } from '../../../controller/ingest/ingest.js';
import { signEnvelope } from '../../../protocol/envelope.js';
import type { ErrorCode } from '../../../protocol/errors.js';
import { invoke } from '../../support/asks.js';
import { startTestCore } from '../../support/core.js';
import { startScriptedAgent } from '../../support/scripted-agent.js';
import { until } from '../../support/until.js';

const LIMIT_BYTES = 16 * 1024;

/** What a node may send instead of a message; `plainCode` is for topics that carry plain JSON. */
const BAD: readonly Readonly<{ code: ErrorCode; plainCode: ErrorCode; payload: string; signed: boolean }>[] = [
  { code: 'envelope_malformed', plainCode: 'payload_malformed', payload: 'hello', signed: false },
  { code: 'payload_malformed', plainCode: 'payload_malformed', payload: '{"v":1,', signed: true },
  { code: 'unknown_version', plainCode: 'unknown_version', payload: '{"v":2}', signed: true },
  { code: 'payload_invalid', plainCode: 'payload_invalid', payload: '{"v":1,"node":7}', signed: true },
  {
    code: 'envelope_too_large',
    plainCode: 'envelope_too_large',
    payload: `{"v":1${' '.repeat(LIMIT_BYTES)}}`,
    signed: true,
  },
];

test('S-M-12: what is no message, of another version or too large is counted on every topic of the controller, and it works on', async (t) => {
  const muster = await startTestCore(t, { config: { max_packet_bytes: LIMIT_BYTES } });
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  const countOf = async (code: ErrorCode): Promise<number> => {
    const { body } = await services.metrics();
    return Number(new RegExp(`messages_refused_total\\{code="${code}"\\} (\\d+)`).exec(body)?.[1]);
  };

  for (const kind of INGESTED) {
    for (const { code, plainCode, payload, signed } of BAD) {
      const isPlain = kind === 'status';
      const expected = isPlain ? plainCode : code;
      const before = await countOf(expected);
      const message = signed && !isPlain ? signEnvelope(`muster-${kind}`, payload, agent.keys.signing) : payload;
      await agent.session.publish(kind, { node: 'pump-1' }, message);
      await until(async () => (await countOf(expected)) === before + 1, { what: `${expected} is counted on ${kind}` });
    }
  }

  const id = await invoke(services.invocations, { nodes: ['pump-1'] });
  await agent.result(await agent.nextOffer());
  assert.equal((await services.invocations.whenDone('default', id, { ms: 5_000 }))?.status, 'completed');
});
