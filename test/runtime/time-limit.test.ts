import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import { test } from 'node:test';
import { startTimeLimit } from '../../runtime/time-limit.js';

const LONG_MS = 3_600_000;

test('a time limit fires with the other signal, also with one that has fired, and when its time is over', async (t) => {
  const other = new AbortController();
  const under = startTimeLimit(other.signal, LONG_MS);
  t.after(under.release);
  assert.equal(under.signal.aborted, false);
  other.abort();
  assert.equal(under.signal.aborted, true);

  const late = startTimeLimit(other.signal, LONG_MS);
  t.after(late.release);
  assert.equal(late.signal.aborted, true);

  const short = startTimeLimit(new AbortController().signal, 1);
  t.after(short.release);
  await once(short.signal, 'abort');
});

test('a time limit that is released leaves nothing behind', () => {
  const other = new AbortController();
  const { signal, release } = startTimeLimit(other.signal, LONG_MS);
  release();
  assert.deepEqual(getEventListeners(other.signal, 'abort'), []);
  other.abort();
  assert.equal(signal.aborted, false);
});
