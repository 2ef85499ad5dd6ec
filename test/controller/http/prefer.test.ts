import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitPreference } from '../../../controller/http/prefer.js';

const CASES: readonly (readonly [header: string | undefined, seconds: number, applied: string | undefined])[] = [
  [undefined, 15, undefined],
  ['wait=0', 0, 'wait=0'],
  ['wait=7', 7, 'wait=7'],
  ['WAIT=7', 7, 'wait=7'],
  ['wait = "7"', 7, 'wait=7'],
  ['wait=60', 60, 'wait=60'],
  ['wait=61', 60, 'wait=60'],
  ['wait=3; foo=bar', 3, 'wait=3'],
  ['return=minimal, wait=3', 3, 'wait=3'],
  ['wait=3, wait=9', 3, 'wait=3'],
  ['respond-async', 0, 'respond-async'],
  ['respond-async, wait=5', 5, 'wait=5'],
  ['wait=-1', 15, undefined],
  ['wait=1.5', 15, undefined],
  ['wait=soon', 15, undefined],
  ['wait=99999999999999999999', 15, undefined],
  ['await=3', 15, undefined],
];

for (const [header, seconds, applied] of CASES) {
  test(`Prefer: ${header ?? '(none)'} waits ${seconds} s`, () => {
    assert.deepEqual(waitPreference(header, 15), { seconds, applied });
  });
}
