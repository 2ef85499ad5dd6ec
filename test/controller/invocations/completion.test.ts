import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EXECUTION_STATUSES } from '../../../controller/http/statuses.js';
import { OPEN_STATUSES, STOP_REASONS, statusOf } from '../../../controller/invocations/completion.js';
import { noExecutions } from '../../../controller/store/invocations.js';

const counts = fc
  .record(Object.fromEntries(EXECUTION_STATUSES.map((status) => [status, fc.nat({ max: 3 })])))
  .map((each) => ({ ...noExecutions(), ...each, total: Object.values(each).reduce((a, b) => a + b, 0) }))
  .filter(({ total }) => total > 0);

const wishes = fc.record({ isToEnd: fc.boolean(), stopped: fc.constantFrom(undefined, ...STOP_REASONS) });

test('an invocation is at its end exactly when each of its executions is', () => {
  fc.assert(
    fc.property(counts, wishes, (of, wish) => {
      const open = OPEN_STATUSES.some((status) => of[status] > 0);
      assert.equal(['approved', 'executing'].includes(statusOf(of, wish).status), open);
    }),
  );
});

test('an invocation is completed exactly when all of its executions succeeded', () => {
  fc.assert(
    fc.property(counts, wishes, (of, wish) =>
      assert.equal(statusOf(of, wish).status === 'completed', of.success === of.total),
    ),
  );
});

test('an invocation is expired exactly when none of its executions was accepted in time', () => {
  fc.assert(fc.property(counts, (of) => assert.equal(statusOf(of, {}).status === 'expired', of.expired === of.total)));
});

test('an invocation that was to end is cancelled when something of it did not run for that', () => {
  const of = { ...noExecutions(), total: 3, success: 1, cancelled: 1, failed: 1 };
  assert.deepEqual(statusOf(of, { isToEnd: true }), { status: 'cancelled', error: 'of 3: 1 failed, 1 cancelled' });
  assert.equal(statusOf(of, {}).status, 'failed'); // an agent that stops cancels, too
  assert.equal(statusOf({ ...of, cancelled: 0, failed: 2 }, { isToEnd: true }).status, 'failed');
  assert.equal(statusOf({ ...noExecutions(), total: 1, expired: 1 }, { isToEnd: true }).status, 'cancelled');
});

test('what did not succeed is said in words', () => {
  const of = { ...noExecutions(), total: 4, success: 1, timeout: 2, rejected: 1 };
  assert.deepEqual(statusOf(of, {}), { status: 'failed', error: 'of 4: 1 rejected, 2 timeout' });
});
