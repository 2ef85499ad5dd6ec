import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ACCEPTED,
  ALIVE,
  awayBetween,
  CANCELLED,
  type Changes,
  done,
  judged,
  NOW_MS,
  pausedAt,
  started,
} from './example-evidence.js';

/** Its cancel was taken at 200 ms, and it ended at 80 s by a kill. */
const LATE = {
  accepted: {
    ...{ cancelAsked: true, cancelTakenMs: NOW_MS + 200 },
    ...{ timeoutMs: 120_000, deed: { ...ACCEPTED.deed, ms: 90_000 } },
  },
  outcome: { ...CANCELLED, endMs: NOW_MS + 80_000 },
  ledger: [started()],
};

/** What became of a cancel, and for how long it went on by then, in milliseconds. */
const TOO_LATE: readonly (readonly [string, Changes, number])[] = [
  ['not obeyed', { ...LATE, outcome: { endMs: undefined }, ledger: [started(), done(0, 61_000)] }, 60_800],
  ['obeyed after 80 s', LATE, 79_800],
  ['obeyed after 80 s and told by another outcome', { ...LATE, outcome: { endMs: NOW_MS + 80_000 } }, 79_800],
  ['obeyed after 80 s by an agent that was back before it', awayed(-30_000, -20_000), 79_800],
  ['obeyed after 80 s by an agent that crashed after it', awayed(80_000, 90_000), 79_800],
  [
    'obeyed after 80 s, all having been away at once for 14 s of them',
    {
      ...LATE,
      agent: { lives: pausedAt(2_000) },
      rest: { core: [awayBetween(1_000, 6_000), awayBetween(3_000, 8_000)] },
    },
    65_800,
  ],
];

for (const [title, changes, wentOnMs] of TOO_LATE) {
  test(`the checker finds a cancel that was taken and ${title}`, () => {
    const verdict = judged(changes);

    assert.ok(verdict.undefined > 0);
    assert.match(verdict.faults.join('\n'), new RegExp(`went on for ${wentOnMs} ms after its cancel`));
  });
}

test('a cancel is late by no fault of its agent while agent, broker or controller are away or just back', () => {
  const honest: readonly Changes[] = [
    { ...LATE, outcome: { ...CANCELLED, endMs: NOW_MS + 60_200 } },
    awayed(40_000, 60_000),
    awayed(-2_000, 20_000),
    { ...LATE, agent: { lives: [{ ...ALIVE, toMs: NOW_MS + 30_000, end: 'crashed' }] } },
    { ...LATE, agent: { lives: pausedAt(9_000, 25_000) } },
    { ...LATE, rest: { core: [[ALIVE], awayBetween(-2_000, 20_000)] } },
    { ...LATE, rest: { core: [awayBetween(5_000, 10_000), awayBetween(20_000, 30_000)] } },
  ];

  for (const changes of honest) assert.deepEqual(judged(changes).faults, []);
});

test('a cancel may be held up for as long as the links let nothing pass', () => {
  assert.deepEqual(judged(LATE, { linkDownMs: 20_000 }).faults, []);
  assert.notDeepEqual(judged(LATE, { linkDownMs: 19_000 }).faults, []);
});

function awayed(fromMs: number, toMs: number): Changes {
  return { ...LATE, agent: { lives: awayBetween(fromMs, toMs) } };
}
