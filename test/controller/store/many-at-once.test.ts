import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uuidv7 } from 'uuidv7';
import { createInvocationEvents } from '../../../controller/events/invocation-events.js';
import { expirePending } from '../../../controller/invocations/expire-pending.js';
import { settleInvocations } from '../../../controller/store/invocations.js';
import { openStore } from '../../../controller/store/store.js';
import { createLogger } from '../../../runtime/logger.js';
import { storePlace } from '../../support/store-place.js';

/** More than a statement of SQLite takes values. */
const MANY = 33_000;
const ROWS_PER_INSERT = 500;

test('more asks that wait for a person than fit into a statement expire at once', async (t) => {
  const store = await openStore(await storePlace(t));
  t.after(store.close);
  await store.write(async (tx) => {
    for (let at = 0; at < MANY; at += ROWS_PER_INSERT) {
      await tx
        .insertInto('invocations')
        .values(Array.from({ length: ROWS_PER_INSERT }, pendingRow))
        .execute();
    }
  });
  const ended: string[] = [];
  const events = createInvocationEvents();
  const log = createLogger('controller', { level: 'silent' });

  await expirePending(
    { store, log, events: { ...events, ended: (ids) => void ended.push(...ids) } },
    { org: 'default', nowMs: 10 },
  );

  const rows = await store.read.selectFrom('invocations').select(['status', 'ask']).distinct().execute();
  assert.deepEqual(rows, [{ status: 'expired', ask: null }]);
  assert.equal(ended.length, MANY);
});

test('more invocations than fit into a statement are settled at once', async (t) => {
  const store = await openStore(await storePlace(t));
  t.after(store.close);
  const ids = Array.from({ length: MANY }, () => uuidv7());

  assert.deepEqual(await store.write((tx) => settleInvocations(tx, ids, 10)), []);
});

function pendingRow() {
  return {
    ...{ id: uuidv7(), org: 'default', status: 'pending', action: 'prime', target: '{"fleet":true}', parameters: '{}' },
    ...{ risk: 'write', timeout: '30s', reason: null, stream: 0, spread: null, digest: 'a'.repeat(64) },
    ...{ created_at: 1, created_by: 'ann', approved_by: null, approved_at: null, expires_at: 5, completed_at: null },
    ...{ error: null, total: 1, origin: 'api', ask: '{}', cancel_requested_at: null, cancel_requested_by: null },
    ...{ batch: null, batches_begun: null, batch_stopped_at: null },
  };
}
