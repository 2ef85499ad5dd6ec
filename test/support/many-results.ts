import assert from 'node:assert/strict';
import { type ExecutionRow, insertExecutions } from '../../controller/store/executions.js';
import { outcomeColumns } from '../../controller/store/outcome-columns.js';
import { insertResults } from '../../controller/store/results.js';
import { sha256Hex } from '../../protocol/envelope.js';
import type { Result } from '../../protocol/messages/result.js';
import type { TestCore } from './core.js';
import { enrollNode } from './scripted-agent.js';

/** Adds executions that have succeeded with one of a hundred outputs, or what they are given, as if so many nodes more had answered. */
export async function addManyResults(
  { core, store }: TestCore,
  id: string,
  count: number,
  outputOf = (index: number): string => `output ${index % 100}\n`,
): Promise<void> {
  await enrollNode(core.services, 'many');
  const [like] = await store.read.selectFrom('executions').selectAll().where('invocation_id', '=', id).execute();
  assert.ok(like);
  const nodes = Array.from({ length: count }, (_, index) => `node-${String(index).padStart(5, '0')}`);
  await store.write(async (tx) => {
    const [node] = await tx.selectFrom('nodes').selectAll().where('node', '=', 'many').execute();
    assert.ok(node);
    for (const each of nodes)
      await tx
        .insertInto('nodes')
        .values({ ...node, node: each, kid: `kid-${each}` })
        .execute();
    const rows = nodes.map((each): ExecutionRow => ({ ...like, node: each, status: 'success', open: 0 }));
    await insertExecutions(tx, rows);
    await insertResults(
      tx,
      rows.map((row, index) => toResultRow(row, outputOf(index))),
    );
  });
}

function toResultRow({ execution_id, node }: ExecutionRow, stdout: string) {
  const empty = sha256Hex('');
  const result: Result = {
    ...{ v: 1, execution_id, node, org: 'default', request_sha256: empty, status: 'success', exit_code: 0 },
    ...{ boot_id: '018f2a10-0000-4000-8000-000000000001', process_id: '018f2a10-0000-4000-8000-000000000002' },
    ...{ stdout, stdout_bytes: stdout.length, stdout_sha256: sha256Hex(stdout), stdout_truncated: false },
    ...{ stderr: '', stderr_bytes: 0, stderr_sha256: empty, stderr_truncated: false },
    ...{ stdout_encoding: 'utf-8', stderr_encoding: 'utf-8', chunks: 0, duration: '1ms', duration_ms: 1 },
    finished_at: '2026-01-01T00:00:00.000Z',
  };
  const jws = `.${Buffer.from(JSON.stringify(result)).toString('base64url')}.`;
  const kept = { execution_id, node, status: 'success', payload_sha256: empty, jws, chunks: 0, received_at: 0 };
  return { ...kept, ...outcomeColumns(result) };
}
