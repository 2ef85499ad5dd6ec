import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { sha256Hex } from '../../protocol/envelope.js';
import { Request } from '../../protocol/messages/request.js';
import type { Queries } from '../store/database.js';
import type { VerifyDeps } from './run.js';

const ROWS_PER_PAGE = 500;

/**
 * The octets of each request are those that were fixed: acks and results name them by their hash. They ask for what their
 * invocation says.
 */
export async function checkRequests({ read, notes, signal }: VerifyDeps): Promise<void> {
  let after = { execution_id: '', sha256: '' };
  for (;;) {
    const { execution_id, sha256 } = after;
    const rows = await read
      .selectFrom('requests')
      .select(['execution_id', 'sha256', 'payload'])
      .where(({ eb, or, and }) =>
        or([
          eb('execution_id', '>', execution_id),
          and([eb('execution_id', '=', execution_id), eb('sha256', '>', sha256)]),
        ]),
      )
      .orderBy('execution_id')
      .orderBy('sha256')
      .limit(ROWS_PER_PAGE)
      .execute();
    const last = rows.at(-1);
    if (last === undefined || signal?.aborted === true) return;
    notes.count('requests', rows.length);
    const asks = await readAsks(read, rows);
    for (const row of rows) {
      const fault = faultOf(row, asks.get(row.execution_id));
      if (fault !== undefined) notes.find('requests', `execution:${row.execution_id}`, fault);
    }
    after = last;
    await setImmediate();
  }
}

type RequestRow = Readonly<{ execution_id: string; sha256: string; payload: string }>;
type Ask = Readonly<{ action: string; parameters: string }>;

/** By execution id what was asked for; each id belongs to one invocation. */
async function readAsks(read: Queries, rows: readonly RequestRow[]): Promise<ReadonlyMap<string, Ask>> {
  const asks = await read
    .selectFrom('executions as e')
    .innerJoin('invocations as i', 'i.id', 'e.invocation_id')
    .select(['e.execution_id', 'i.action', 'i.parameters'])
    .distinct()
    .where('e.execution_id', 'in', [...new Set(rows.map(({ execution_id }) => execution_id))])
    .execute();
  return new Map(asks.map((row) => [row.execution_id, row]));
}

/** Undefined when it holds, or when it went with its invocation meanwhile. */
function faultOf({ sha256, payload }: RequestRow, ask: Ask | undefined): string | undefined {
  if (sha256Hex(payload) !== sha256) return 'the octets of its request were altered';
  if (ask === undefined) return undefined;
  try {
    const { action, parameters } = Request.parse(JSON.parse(payload));
    const isSame = action === ask.action && isDeepStrictEqual(parameters, JSON.parse(ask.parameters));
    return isSame ? undefined : 'its request asks for something else than its invocation';
  } catch {
    return 'its request is none';
  }
}
