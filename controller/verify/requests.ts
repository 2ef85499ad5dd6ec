import { setImmediate } from 'node:timers/promises';
import { sha256Hex } from '../../protocol/envelope.js';
import type { VerifyDeps } from './run.js';

const ROWS_PER_PAGE = 500;

/** The octets of each request are those that were fixed: acks and results name them by their hash. */
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
    for (const row of rows) {
      if (sha256Hex(row.payload) === row.sha256) continue;
      notes.find('requests', `execution:${row.execution_id}`, 'the octets of its request were altered');
    }
    after = last;
    await setImmediate();
  }
}
