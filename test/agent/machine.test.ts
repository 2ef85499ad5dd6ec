import assert from 'node:assert/strict';
import { test } from 'node:test';
import { awayMs, beginHandover, hasRebooted, leaveWith, type Machine } from '../../agent/machine.js';

const MINUTE_MS = 60_000;

/** A process on a machine at this moment. */
function at(moment: { bootId?: string | undefined; processId?: string; nowMs: number; sinceBootMs: number }): Machine {
  const { bootId, processId = 'one', nowMs, sinceBootMs } = moment;
  return { bootId, processId, clock: { nowMs: () => nowMs, monotonicMs: () => 0, sinceBootMs: () => sinceBootMs } };
}

test('within one boot the time away is that since the boot, whatever the clock was set to', () => {
  const handover = beginHandover(at({ bootId: 'a', nowMs: 5_000_000, sinceBootMs: 10_000 }), 0);
  const left = leaveWith(handover, at({ bootId: 'a', nowMs: 5_030_000, sinceBootMs: 40_000 }));
  const next = at({ bootId: 'a', processId: 'two', nowMs: 1_000, sinceBootMs: 40_812.4 });

  assert.equal(hasRebooted(left, next), false);
  assert.equal(awayMs(left, next), 812);
  assert.equal(awayMs(handover, next), 30_812, 'it was killed before it could say when it left');
});

test('over a reboot the time away is that of the clock, and no less than the machine is up', () => {
  const before = at({ bootId: 'a', nowMs: 5_000_000, sinceBootMs: 90 * MINUTE_MS });
  const left = leaveWith(beginHandover(before, MINUTE_MS), before);

  const usual = at({ bootId: 'b', nowMs: 5_042_000, sinceBootMs: 12_000 });
  const withoutClock = at({ bootId: 'b', nowMs: 0, sinceBootMs: 12_000 });

  assert.deepEqual([hasRebooted(left, usual), awayMs(left, usual)], [true, 42_000]);
  assert.equal(awayMs(left, withoutClock), 12_000);
});

test('a machine that tells no boot id has rebooted when it is up for less time than before', () => {
  const before = at({ nowMs: 5_000_000, sinceBootMs: 90 * MINUTE_MS });
  const handover = beginHandover(before, MINUTE_MS);

  assert.equal(hasRebooted(handover, at({ nowMs: 5_100_000, sinceBootMs: 20_000 })), true);
  assert.equal(hasRebooted(handover, at({ nowMs: 5_005_000, sinceBootMs: 90 * MINUTE_MS + 5_000 })), false);
});

test('a reboot that is to come leaves at its time, for who is killed by it', () => {
  const handover = beginHandover(at({ bootId: 'a', nowMs: 5_000_000, sinceBootMs: 10_000 }), MINUTE_MS);

  assert.deepEqual([handover.due_ms, handover.left_ms], [10_000 + MINUTE_MS, 5_000_000 + MINUTE_MS]);
});
