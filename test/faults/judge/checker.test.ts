import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Allowances } from './evidence.js';
import {
  ACCEPTED,
  CANCELLED,
  type Changes,
  crashAt,
  done,
  EMPTY,
  EXPIRED,
  ID,
  INTERRUPTED,
  judged,
  NOW_MS,
  pausedAt,
  SHA,
  SLOW,
  START_FAILED,
  started,
  stopAt,
  TIMED_OUT,
} from './example-evidence.js';
import { outputOf } from './ledger.js';

/** A title, what is changed, and which kind of fault has to be found. */
type Case = readonly [string, Changes, RegExp, Allowances?];

const NOT_STORED = { results: new Map<string, string>(), ends: new Map<string, number>() };

const LOST: readonly Case[] = [
  ['an execution that the controller does not know', { outcome: null }, /^lost: .* does not know it/],
  ['an execution without an outcome', { outcome: { status: 'accepted', ended: false } }, /^lost: .* it is accepted/],
  [
    'an outcome in the journal that the controller never got',
    { outcome: { status: 'expired', stdout: EMPTY }, store: NOT_STORED, ledger: [] },
    /^lost: .* finished in the journal/,
  ],
  ['a result that the journal does not know', { agent: { journal: new Map() } }, /^lost: .* the journal knows nothing/],
  [
    'a rejection without a reason to it',
    { outcome: { status: 'rejected', reason: 'before_epoch' } },
    /^lost: .* rejected/,
  ],
  ['an error that nothing explains', { outcome: { ...INTERRUPTED, errorCode: 'internal' } }, /^lost: .* internal/],
  ['output that did not arrive', { outcome: { stdout: { ...EMPTY, complete: false } } }, /^lost: .* did not arrive/],
  ['an interruption without a crash', { outcome: INTERRUPTED }, /^lost: .* no crash explains/],
  [
    'an interruption before anything was launched by a crash before it was asked for',
    { outcome: { ...INTERRUPTED, launched: 'unknown' }, ledger: [], agent: { lives: crashAt(-5_000) } },
    /^lost: .* no crash explains/,
  ],
  [
    'an interruption after its launch by a crash before it',
    { outcome: INTERRUPTED, agent: { lives: crashAt(-5_000) } },
    /^lost: .* no crash explains/,
  ],
  [
    'an interruption by a crash long after the end of the program',
    { outcome: INTERRUPTED, agent: { lives: crashAt(3_000) } },
    /^lost: .* no crash explains/,
  ],
  ...['expired', 'rejected', 'error'].map(
    (status): Case => [
      `a time that was over before it was, told as ${status}`,
      { outcome: { ...EXPIRED, status, endMs: NOW_MS + 50_000 }, ledger: [] },
      /^lost: .* ended as expired 10000 ms before its time was over/,
    ],
  ),
  [
    'a result without output of what was cancelled before it was launched',
    { accepted: { cancelAsked: true }, outcome: { ...CANCELLED, launched: 'no', stdout: undefined }, ledger: [] },
    /^lost: .* its output is not there/,
  ],
  ['an expiry of which nobody says when', { outcome: { ...EXPIRED, endMs: undefined }, ledger: [] }, /^lost: .* when/],
  [
    'an error that is allowed to another node',
    { outcome: START_FAILED, ledger: [] },
    /^lost: .* start_failed/,
    { errors: [{ code: 'start_failed', node: 'pump-8' }] },
  ],
  [
    'an error that is allowed under another label',
    { outcome: START_FAILED, ledger: [] },
    /^lost: .* start_failed/,
    { errors: [{ code: 'start_failed', label: /execve/ }] },
  ],
];

const DOUBLED: readonly Case[] = [
  ['a second start', { ledger: [started(), done(), started(500)] }, /^doubled: .* was started 2 times/],
  [
    'a start of what nobody had asked for',
    { ledger: [started(), done(), started(1, ID.replace('01a1', '0bad'))] },
    /^doubled: 0bad.* never been asked for/,
  ],
];

const LATE: readonly Case[] = [
  ['a start after the window', { ledger: [started(65_000), done(0, 65_010)] }, /^late: .* 5000 ms too late/],
  ['a start before the window', { ledger: [started(-130_000), done()] }, /^late: .* 130000 ms too early/],
];

const UNDEFINED: readonly Case[] = [
  ['a provisional end', { outcome: { ...INTERRUPTED, provisional: true } }, /^undefined: .* provisionally/],
  ['a status that is none', { outcome: { status: 'unreachable' } }, /^undefined: .* no outcome/],
  ['a success that never started', { ledger: [] }, /^undefined: .* never started/],
  ['a success that never ended', { ledger: [started()] }, /^undefined: .* never came to its end/],
  ['a success with another exit code', { ledger: [started(), done(3)] }, /^undefined: .* exit code 0, the program 3/],
  [
    'a failure that was a success',
    { outcome: { status: 'failed' } },
    /^undefined: .* ended as failed with exit code 0/,
  ],
  [
    'a program that did not do what it was told',
    { accepted: { deed: { ...ACCEPTED.deed, exitCode: 7 } } },
    /^undefined: .* was to exit with 7/,
  ],
  [
    'output that was not printed',
    { outcome: { stdout: { ...EMPTY, bytes: outputOf(ID.replace('f', 'e'), 100) } } },
    /^undefined: .* did not print/,
  ],
  [
    'output that was dropped without need',
    { outcome: { stdout: { ...EMPTY, truncated: true } } },
    /^undefined: .* says that output was dropped/,
  ],
  ['a result that ended twice', { store: { ends: new Map([[ID, 2]]) } }, /^undefined: .* ended 2 times by the audit/],
  ['output that is missing', { outcome: { stdout: EMPTY } }, /^undefined: .* did not print/],
  [
    'a program that went on after its time-out',
    {
      accepted: { timeoutMs: 1_000, deed: { ...ACCEPTED.deed, ms: 9_000 } },
      outcome: { status: 'timeout', exitCode: -1 },
    },
    /^undefined: .* its program went on/,
  ],
  ['a time-out before its time', { outcome: { status: 'timeout', exitCode: -1 } }, /^undefined: .* was to take 10 ms/],
  [
    'a cancel that nobody asked for',
    { outcome: { status: 'cancelled', launched: 'yes' } },
    /^undefined: .* nobody had/,
  ],
  [
    'a cancel by a stop long after it',
    { outcome: CANCELLED, ledger: [started()], agent: { lives: stopAt(20_000) } },
    /^undefined: .* nobody had/,
  ],
  [
    'a cancel by a stop before it',
    { outcome: CANCELLED, ledger: [started()], agent: { lives: stopAt(-20_000) } },
    /^undefined: .* nobody had/,
  ],
  [
    'a cancel long after the stop before which it started',
    { outcome: { ...CANCELLED, endMs: NOW_MS + 9_000 }, ledger: [started()], agent: { lives: stopAt(200) } },
    /^undefined: .* nobody had/,
  ],
  [
    'a time-out without the output for which there was time',
    { accepted: SLOW, outcome: { ...TIMED_OUT, stdout: EMPTY }, ledger: [started()] },
    /^undefined: .* 0 bytes of output that the program did not print/,
  ],
  [
    'a killed program where none is killed before its first line',
    { outcome: { status: 'failed', exitCode: -1 }, ledger: [] },
    /^undefined: .* never started/,
    { killsHooks: true },
  ],
  [
    'a killed program under a label of which none is killed',
    { outcome: { status: 'failed', exitCode: -1 }, ledger: [] },
    /^undefined: .* never started/,
    { killsHooks: true, killsAtLaunch: /execve/ },
  ],
  [
    'a killed program that came to its end',
    { outcome: { status: 'failed', exitCode: -1 } },
    /^undefined: .* exit code -1, the program 0/,
    { killsHooks: true },
  ],
  [
    'an allowed error of what was started',
    { outcome: START_FAILED },
    /^undefined: .* ended as error start_failed and had been started/,
    { errors: [{ code: 'start_failed' }] },
  ],
  [
    'a cancelled execution that says it was not launched and was',
    { accepted: { cancelAsked: true }, outcome: { status: 'cancelled', launched: 'no' } },
    /^undefined: .* had been started/,
  ],
  [
    'an execution that the controller cancelled before it was launched and that was started',
    { accepted: { cancelAsked: true }, outcome: { ...CANCELLED, launched: null }, ledger: [started()] },
    /^undefined: .* had been started/,
  ],
  [
    'a cancel of what had ended by itself',
    { accepted: { cancelAsked: true }, outcome: { ...CANCELLED, endMs: NOW_MS + 2_200 } },
    /^undefined: .* cancelled 2090 ms after its program had come to its end/,
  ],
  [
    'an execution that was told as cancelled and ended otherwise',
    { accepted: { cancelAsked: true, cancelTakenMs: NOW_MS + 5, isToldCancelled: true } },
    /^undefined: .* told as cancelled and is success/,
  ],
  [
    'output of what was cancelled before it was launched',
    { accepted: { cancelAsked: true }, outcome: { ...CANCELLED, launched: 'no' }, ledger: [] },
    /^undefined: .* 100 bytes of output that the program did not print/,
  ],
  [
    'output of what ran into its time-out before it began',
    { accepted: SLOW, outcome: TIMED_OUT, ledger: [] },
    /^undefined: .* 100 bytes of output that the program did not print/,
  ],
  [
    'a time-out of what had the time to start and never did',
    { accepted: { ...SLOW, timeoutMs: 4_000 }, outcome: { ...TIMED_OUT, stdout: EMPTY }, ledger: [] },
    /^undefined: .* time-out of 4000 ms and was never started/,
  ],
  [
    'a time-out of what had the time to start although hooks are held up',
    {
      accepted: { timeoutMs: 20_000, deed: { ...ACCEPTED.deed, ms: 90_000 } },
      outcome: { ...TIMED_OUT, stdout: EMPTY },
      ledger: [],
    },
    /^undefined: .* was never started/,
    { launchMs: 10_000 },
  ],
  [
    'a time-out without a start, the agent having stood still before it was asked for',
    {
      accepted: { ...SLOW, timeoutMs: 4_000 },
      outcome: { ...TIMED_OUT, stdout: EMPTY },
      ledger: [],
      agent: { lives: pausedAt(-9_000) },
    },
    /^undefined: .* was never started/,
  ],
  [
    'an interrupted execution that says it was not launched and was',
    { outcome: { ...INTERRUPTED, launched: 'no' }, agent: { lives: crashAt(105) } },
    /^undefined: .* had been started/,
  ],
  [
    'an interruption that does not say whether it was launched',
    { outcome: { ...INTERRUPTED, launched: null }, agent: { lives: crashAt(105) } },
    /^undefined: .* does not say/,
  ],
  [
    'an expired execution that ran',
    { outcome: { status: 'expired' }, store: NOT_STORED, agent: { journal: new Map() } },
    /^undefined: .* had been started/,
  ],
  [
    'one result in the journal and another in the store',
    { store: { results: new Map([[ID, 'b'.repeat(64)]]) } },
    /^undefined: .* another result/,
  ],
  [
    'an execution that is still starting in the journal',
    { agent: { journal: new Map([[ID, { state: 'starting', receipted: false, resultSha256: undefined }]]) } },
    /^undefined: .* is starting in the journal/,
  ],
  [
    'a second result that contradicts the first',
    { store: { refusals: [`conflicting_result node:pump-7 ${ID}`] } },
    /^undefined: .* conflicting_result/,
  ],
  [
    'a result that nobody had asked for',
    { store: { results: new Map([...[[ID, SHA] as const], ['0bad', SHA]]) } },
    /^undefined: 0bad has a result/,
  ],
];

const OTHER: readonly Case[] = [
  [
    'a process that is alive',
    { rest: { survivors: [{ pid: 1, command: 'sleep 9' }] } },
    /^orphan: .* still alive: sleep 9/,
  ],
  ['a broken audit chain', { store: { brokenAuditRow: 17 } }, /^other: .* row 17/],
  ['a secret in a file', { rest: { leaks: ['logs/pump-7.log'] } }, /^other: a secret stands in logs/],
  ['descriptors that were not closed', { agent: { descriptors: { idle: 20, after: 21 } } }, /^other: .* ends with 21/],
  ['a stop with an exit code', { agent: { exitCode: 1 } }, /^other: .* ended with 1/],
  ['a stop that needed a signal', { agent: { exitCode: null } }, /^other: .* ended with a signal/],
  ['a journal that cannot be opened', { agent: { journal: undefined } }, /^other: the journal of pump-7/],
  [
    'a result without a receipt',
    { agent: { journal: new Map([[ID, { state: 'finished', receipted: false, resultSha256: SHA }]]) } },
    /^other: .* no receipt/,
  ],
  ['a line that no hook wrote', { unreadable: ['start me'] }, /^other: the ledger holds "start me"/],
];

test('what went well is no fault', () => {
  const { accepted, faults } = judged();

  assert.deepEqual({ accepted, faults }, { accepted: 1, faults: [] });
});

for (const [title, changes, expected, allowances] of [...LOST, ...DOUBLED, ...LATE, ...UNDEFINED, ...OTHER]) {
  test(`the checker finds ${title}`, () => {
    const { faults } = judged(changes, allowances);

    assert.ok(
      faults.some((fault) => expected.test(fault)),
      faults.join('\n'),
    );
  });
}

for (const [kind, cases] of Object.entries({ lost: LOST, doubled: DOUBLED, late: LATE, undefined: UNDEFINED })) {
  test(`faults of the kind ${kind} are counted as such`, () => {
    for (const [title, changes, , allowances] of cases) {
      const counts = new Map(Object.entries(judged(changes, allowances)));
      assert.ok(Number(counts.get(kind)) > 0, title);
    }
  });
}

test('an honest interruption, time-out, cancel or expiry is no fault', () => {
  const nowhere = { store: NOT_STORED, agent: { journal: new Map() }, ledger: [] };
  const honest: readonly Changes[] = [
    { outcome: INTERRUPTED, ledger: [started()], agent: { lives: crashAt(105) } },
    { outcome: { ...INTERRUPTED, launched: 'unknown' }, ledger: [], agent: { lives: crashAt(90) } },
    { outcome: INTERRUPTED, agent: { lives: crashAt(1_900) } },
    { accepted: SLOW, outcome: TIMED_OUT, ledger: [started()] },
    { accepted: SLOW, outcome: { ...TIMED_OUT, stdout: EMPTY }, ledger: [started(900)] },
    { accepted: SLOW, outcome: { ...TIMED_OUT, stdout: EMPTY }, ledger: [] },
    {
      accepted: { ...SLOW, timeoutMs: 4_000 },
      outcome: { ...TIMED_OUT, stdout: EMPTY },
      ledger: [],
      agent: { lives: pausedAt(-100) },
    },
    { accepted: { ...SLOW, timeoutMs: 3_900 }, outcome: { ...TIMED_OUT, stdout: EMPTY }, ledger: [] },
    {
      accepted: { cancelAsked: true },
      outcome: { ...CANCELLED, launched: null, stdout: { ...EMPTY, complete: false } },
      ...nowhere,
    },
    { accepted: { cancelAsked: true }, outcome: { ...CANCELLED, launched: null, stdout: undefined }, ...nowhere },
    { accepted: { cancelAsked: true, cancelTakenMs: NOW_MS + 105 } },
    { outcome: CANCELLED, ledger: [started()], agent: { lives: stopAt(200) } },
    { outcome: { ...CANCELLED, launched: 'no', stdout: EMPTY }, ledger: [], agent: { lives: stopAt(200) } },
    { accepted: { cancelAsked: true }, outcome: { status: 'cancelled', launched: 'yes' }, ledger: [started()] },
    { outcome: EXPIRED, ...nowhere },
    { outcome: { ...EXPIRED, status: 'rejected' }, ...nowhere },
    { outcome: { ...EXPIRED, status: 'error' }, ledger: [] },
    {
      outcome: { status: 'failed', exitCode: 4 },
      accepted: { deed: { ...ACCEPTED.deed, exitCode: 4 } },
      ledger: [started(), done(4)],
    },
  ];

  for (const changes of honest) assert.deepEqual(judged(changes).faults, []);
});

test('what a scenario provokes is allowed, and nothing else', () => {
  const killed = { outcome: { status: 'failed', exitCode: -1 }, ledger: [started()] };
  const rejected = {
    ...{ outcome: { status: 'rejected', reason: 'storage_failed', stdout: EMPTY }, ledger: [] },
    ...{ store: NOT_STORED, agent: { journal: new Map() } },
  };

  const tracedLate = { accepted: { ...SLOW, timeoutMs: 4_000 }, outcome: { ...TIMED_OUT, stdout: EMPTY }, ledger: [] };
  const atLaunch = { ...killed, outcome: { ...killed.outcome, stdout: EMPTY }, ledger: [] };
  const stuck = { outcome: INTERRUPTED, agent: { lives: crashAt(8_000) } };

  assert.deepEqual(judged(killed, { killsHooks: true }).faults, []);
  assert.deepEqual(judged(atLaunch, { killsAtLaunch: /^test$/ }).faults, []);
  assert.deepEqual(judged(stuck, { recordMs: 10_000 }).faults, []);
  assert.deepEqual(judged(tracedLate, { launchMs: 10_000 }).faults, []);
  assert.deepEqual(judged({ ledger: [started(65_000), done(0, 65_010)] }, { launchMs: 10_000 }).faults, []);
  assert.deepEqual(
    judged(
      { outcome: START_FAILED, ledger: [] },
      { errors: [{ code: 'start_failed', node: 'pump-7', label: /^test$/ }] },
    ).faults,
    [],
  );
  assert.notDeepEqual(judged(killed).faults, []);
  assert.deepEqual(judged(rejected, { rejections: ['storage_failed'] }).faults, []);
  assert.notDeepEqual(judged(rejected, { rejections: ['before_epoch'] }).faults, []);
});
