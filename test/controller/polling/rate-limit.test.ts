import { test } from 'node:test';
import { createRateLimit } from '../../../controller/polling/rate-limit.js';
import { assertThrowsCode } from '../../support/assert-code.js';

test('F-20, F-32, F-42, S-D-19: in any 60 seconds as many pass as are allowed, each caller by itself', () => {
  let monotonicMs = 5_000;
  const limit = createRateLimit({ nowMs: () => 0, monotonicMs: () => monotonicMs }, 3);
  const isRefused = (caller: string) => assertThrowsCode(() => limit.pass(caller), 'rate_limited');

  for (const at of [5_000, 30_000, 64_000]) {
    monotonicMs = at;
    limit.pass('a');
  }
  monotonicMs = 64_999;
  isRefused('a');
  limit.pass('b');
  monotonicMs = 65_000; // the first is a minute old
  limit.pass('a');
  isRefused('a');
});
