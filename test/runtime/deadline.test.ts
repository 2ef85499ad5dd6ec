import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withDeadline } from '../../runtime/deadline.js';
import { assertRejectsCode } from '../support/assert-code.js';

test('what comes in time is passed on, a failure too', async () => {
  assert.equal(await withDeadline(Promise.resolve(3), 60_000, 'the answer'), 3);
  await assert.rejects(withDeadline(Promise.reject(new Error('refused')), 60_000, 'the answer'), /refused/);
});

test('what does not come in time fails and says what was awaited', async () => {
  const { message } = await assertRejectsCode(
    withDeadline(new Promise(() => undefined), 5, 'the answer'),
    'deadline_passed',
  );
  assert.equal(message, 'the answer took longer than 5 ms');
});

test('no timer is left when the work has ended', async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length;
  const before = timers();
  await withDeadline(Promise.resolve(), 60_000, 'nothing');
  assert.equal(timers(), before);
});
