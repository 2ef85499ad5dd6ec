import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeRace } from './judge-race.js';
import { judgeRecords } from './judge-records.js';
import type { InvocationRecord, Records } from './records.js';

const RECORD: InvocationRecord = { id: 'one', status: 'completed', executions: 1, made: 1, decided: 0 };
const TOLD = { invocations: new Set(['one']), accepted: new Set(['one']) };

test('records that hold what callers were told are no fault', () => {
  assert.deepEqual(kinds({}), []);
});

test('what was accepted and is not in the store, or has no execution, is lost', () => {
  assert.deepEqual(kinds({ invocations: [] }), ['lost']);
  assert.deepEqual(kinds({ invocations: [{ ...RECORD, executions: 0 }] }), ['lost']);
});

test('what nobody was told of, and what is decided twice, is doubled', () => {
  assert.deepEqual(kinds({ invocations: [RECORD, { ...RECORD, id: 'two' }] }), ['doubled']);
  assert.deepEqual(kinds({ invocations: [{ ...RECORD, decided: 2 }] }), ['doubled']);
});

test('what was never approved and has executions is doubled', () => {
  const told = { invocations: TOLD.invocations, accepted: new Set<string>() };
  assert.deepEqual(
    judgeRecords(recordsOf({}), told).map(({ kind }) => kind),
    ['doubled'],
  );
});

test('a missing or doubled row of the audit trail, an empty trail, and whatever verify finds are faults', () => {
  assert.deepEqual(kinds({ invocations: [{ ...RECORD, made: 0 }] }), ['other']);
  assert.deepEqual(kinds({ invocations: [{ ...RECORD, made: 2 }] }), ['other']);
  assert.deepEqual(kinds({ auditRows: 0 }), ['other']);
  assert.deepEqual(kinds({ findings: [{ check: 'audit_chain', subject: 'audit:7', detail: 'altered' }] }), ['other']);
});

test('of a race exactly one voice is heard, the others are told of a conflict, and the state is what it said', () => {
  const approve = { said: 'approve', status: 200 } as const;
  const refused = { said: 'deny', status: 409 } as const;
  const race = (answers: Parameters<typeof judgeRace>[0]['answers'], status: string): string[] =>
    judgeRace({ id: 'one', answers, status }).map(({ kind }) => kind);

  assert.deepEqual(race([approve, refused], 'executing'), []);
  assert.deepEqual(race([{ ...approve, said: 'deny' }, refused], 'denied'), []);
  assert.deepEqual(race([refused, refused], 'pending'), ['lost']);
  assert.deepEqual(race([approve, approve], 'executing'), ['doubled']);
  assert.deepEqual(race([approve, { ...refused, status: 404 }], 'executing'), ['undefined']);
  assert.deepEqual(race([approve, refused], 'denied'), ['undefined']);
  assert.deepEqual(race([approve, refused], 'pending'), ['undefined']);
});

function recordsOf(changes: Partial<Records>): Records {
  return { invocations: [RECORD], findings: [], auditRows: 1, ...changes };
}

function kinds(changes: Partial<Records>): string[] {
  return judgeRecords(recordsOf(changes), TOLD).map(({ kind }) => kind);
}
