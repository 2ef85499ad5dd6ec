import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Accepted, Outcome } from './evidence.js';
import { judgeSuccesses } from './judge-successes.js';

const DEED = { exitCode: 0, bytes: 0, ms: 0, leaves: 'nothing', showsEnvironment: false } as const;

/** Executions that end with these statuses. */
function evidenceOf(statuses: readonly string[], change: Partial<Accepted> = {}) {
  const accepted = statuses.map(
    (_, at): Accepted => ({
      ...{ executionId: `execution ${at}`, invocationId: 'invocation', node: 'pump-7', label: 'test', deed: DEED },
      ...{ timeoutMs: 30_000, issuedMs: 0, expiresMs: 60_000, ...change },
      ...{ cancelAsked: false, cancelTakenMs: undefined, isToldCancelled: false, ...change },
    }),
  );
  const outcomeOf = (status: string): Outcome => ({
    ...{ status, ended: true, provisional: false, reason: null, exitCode: 0, endMs: 150 },
    ...{ errorCode: null, error: null, launched: null, stdout: undefined },
  });
  return { accepted, outcomes: new Map(statuses.map((status, at) => [`execution ${at}`, outcomeOf(status)])) };
}

function times(count: number, status: string): string[] {
  return Array.from({ length: count }, () => status);
}

test('a run in which hardly anything succeeds is a fault', () => {
  const poor = evidenceOf([...times(2, 'success'), ...times(10, 'error')]);

  assert.deepEqual(judgeSuccesses(poor), [{ kind: 'other', sentence: 'only 2 of 12 that were to succeed did' }]);
  assert.deepEqual(judgeSuccesses(poor, { successShare: 0.1 }), []);
  assert.deepEqual(judgeSuccesses(evidenceOf([...times(3, 'success'), ...times(9, 'error')])), []);
});

test('what was to fail, to run into its time-out or to be cancelled does not have to succeed', () => {
  const changes: readonly Partial<Accepted>[] = [
    { deed: { ...DEED, exitCode: 3 } },
    { deed: { ...DEED, ms: 20_000 }, timeoutMs: 1_000 },
    { cancelAsked: true },
  ];
  for (const change of changes) assert.deepEqual(judgeSuccesses(evidenceOf(times(12, 'failed'), change)), []);
});

test('a run with hardly any work is a fault', () => {
  assert.deepEqual(judgeSuccesses(evidenceOf(times(9, 'success'))), [
    { kind: 'other', sentence: 'only 9 executions were accepted in the whole run' },
  ]);
});
