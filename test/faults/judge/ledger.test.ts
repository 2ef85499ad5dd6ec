import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { LEDGER_HOOK, outputOf, parametersOf, parseLedger, readLedger, writeLedgerHook } from './ledger.js';

const ID = '01a1fcf6-55ed-7369-98dc-1f05290ca8fc';

test('the hook does what it is told, and its first and last act are lines of the ledger', async (t) => {
  const directory = temporaryDirectory(t);
  const ledger = join(directory, 'ledger');
  writeLedgerHook(directory, { ledger, canary: '123456' });
  const deed = { exitCode: 7, bytes: 70_001, ms: 20, leaves: 'nothing', showsEnvironment: true } as const;
  const parameters = Object.entries(parametersOf(deed)).map(([name, value]) => [
    `MUSTER_PARAM_${name.toUpperCase()}`,
    String(value),
  ]);

  const run = await execa(join(directory, LEDGER_HOOK), {
    ...{ reject: false, extendEnv: false, stripFinalNewline: false },
    env: { PATH: process.env.PATH, MUSTER_EXECUTION_ID: ID, ...Object.fromEntries(parameters) },
  });

  assert.equal(run.exitCode, 7);
  assert.equal(run.stdout, outputOf(ID, 70_001).toString());
  assert.match(run.stderr, /MUSTER_PARAM_CODE="7"/);
  const { lines, unreadable } = readLedger(ledger);
  assert.deepEqual(unreadable, []);
  assert.deepEqual(
    lines.map(({ kind, id }) => [kind, id]),
    [
      ['start', ID],
      ['end', ID],
    ],
  );
  const [start, end] = lines;
  assert.ok(end?.kind === 'end' && end.exitCode === 7 && end.atMs - (start?.atMs ?? 0) >= 20);
  assert.ok(Math.abs(end.atMs - Date.now()) < 60_000, 'milliseconds since 1970');
});

test('a torn line of the ledger is unreadable, not left out', () => {
  const { lines, unreadable } = parseLedger(`start ${ID} 12 1795244643594197\nend ${ID} 0 17952\n\nstart ${ID}`);

  assert.deepEqual(lines, [{ kind: 'start', id: ID, pid: 12, atMs: 1795244643594.197 }]);
  assert.deepEqual(unreadable, [`end ${ID} 0 17952`, `start ${ID}`]);
});
