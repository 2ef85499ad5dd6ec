import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { LogsTail } from '../../../../agent/actions/builtins/logs-tail.js';
import type { ParameterValue } from '../../../../protocol/messages/parameters.js';
import type { TestScope } from '../../../support/broker.js';
import { type BuiltinRun, EXITED_0, runBuiltin, withProgram } from '../../../support/builtins.js';
import { findCommand, runCommand } from '../../../support/commands.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';

const AT_MICROS = Date.parse('2026-01-31T12:00:00.123Z') * 1000;
const line = (entry: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({ __REALTIME_TIMESTAMP: String(AT_MICROS), ...entry });

/** Runs logs_tail with this program in the place of journalctl. */
function tail(
  t: TestScope,
  script: string,
  parameters: Readonly<Record<string, ParameterValue>> = {},
): Promise<BuiltinRun> {
  const path = withProgram(temporaryDirectory(t), 'journalctl', script);
  return runBuiltin(
    'logs_tail',
    { unit: 'nginx', ...parameters },
    { path, settings: { log_units: ['nginx.service'] } },
  );
}

const toldBy = ({ stdout }: BuiltinRun): LogsTail => LogsTail.parse(JSON.parse(stdout));

test('what journalctl prints of a unit becomes lines with time, priority and program', async (t) => {
  const entries = [
    line({ MESSAGE: 'newest', PRIORITY: '3', SYSLOG_IDENTIFIER: 'nginx', _PID: '42' }),
    line({ MESSAGE: [104, 105, 255], SYSLOG_IDENTIFIER: 'nginx' }),
    line({ MESSAGE: null }),
    'not JSON',
  ];
  const run = await tail(t, `#!/bin/sh\ncat <<'END'\n${entries.join('\n')}\nEND\n`);

  assert.deepEqual(run.end, EXITED_0);
  const time = '2026-01-31T12:00:00.123Z';
  assert.deepEqual(toldBy(run), {
    source: 'journal',
    name: 'nginx.service',
    lines: [
      { time, text: '', is_cut: true, priority: null, from: null },
      { time, text: 'hi\ufffd', is_cut: false, priority: null, from: 'nginx' },
      { time, text: 'newest', is_cut: false, priority: 3, from: 'nginx[42]' },
    ],
    has_older: false,
    note: null,
  });
});

test('journalctl is asked for the unit and the time, without a shell and without the environment of the agent', async (t) => {
  const file = join(temporaryDirectory(t), 'asked');
  await tail(t, `#!/bin/sh\nfor each in "$@"; do echo "$each"; done > ${file}\nenv | grep -v ^_= >> ${file}\n`, {
    since: '2026-01-31T12:00:00.5Z',
  });

  const asked = readFileSync(file, 'utf8').split('\n');
  for (const argument of ['--unit=nginx.service', '--output=json', '--reverse', '--since=@1769860800.500'])
    assert.ok(asked.includes(argument), asked.join(' '));
  const names = asked.filter((each) => /^[A-Z_]+=/.test(each)).map((each) => each.split('=', 1)[0]);
  assert.deepEqual(names.filter((name) => name !== 'PWD' && name !== 'SHLVL' && name !== 'OLDPWD').sort(), [
    'LC_ALL',
    'PATH',
    'TZ',
  ]);
});

test('a journal without an end is read only until there are enough lines', { timeout: 60_000 }, async (t) => {
  const run = await tail(t, `#!/bin/sh\nexec yes '${line({ MESSAGE: 'again' })}'\n`, { lines: 5 });

  assert.equal(toldBy(run).lines.length, 5);
  assert.equal(toldBy(run).has_older, true);
});

test('a search that finds nothing comes to an end as well', { timeout: 60_000 }, async (t) => {
  const run = await tail(t, `#!/bin/sh\nexec yes '${line({ MESSAGE: 'again' })}'\n`, { contains: 'never' });

  assert.deepEqual([toldBy(run).lines, toldBy(run).has_older], [[], true]);
});

test('an entry that is far too long is left out, and the next one is read', async (t) => {
  const script = `#!/bin/sh\nhead -c 1000000 /dev/zero | tr '\\0' x\necho\necho '${line({ MESSAGE: 'next' })}'\n`;

  assert.deepEqual(
    toldBy(await tail(t, script)).lines.map(({ text }) => text),
    ['next'],
  );
});

test('why nothing was found is passed on', async (t) => {
  const run = await tail(t, '#!/bin/sh\necho "No journal files were opened due to insufficient permissions." >&2\n');

  assert.equal(toldBy(run).note, 'No journal files were opened due to insufficient permissions');
});

test('a node without journalctl, or with one that fails, is not_supported_on_node', async (t) => {
  const failing = await tail(t, '#!/bin/sh\necho "Failed to open journal." >&2\nexit 1\n');
  const settings = { log_units: ['nginx'] };
  const missing = await runBuiltin('logs_tail', { unit: 'nginx' }, { path: temporaryDirectory(t), settings });

  assert.deepEqual(failing.end, {
    kind: 'error',
    code: 'not_supported_on_node',
    message: 'journalctl does not work on this node: Failed to open journal.',
  });
  assert.deepEqual(missing.end, {
    kind: 'error',
    code: 'not_supported_on_node',
    message: 'journalctl does not work on this node: it could not be started (ENOENT).',
  });
});

test('the journalctl of this machine takes every option that it is given', async (t) => {
  if (findCommand('journalctl') === undefined) return t.skip('journalctl is not installed');
  const { end } = await runBuiltin('logs_tail', { unit: 'nginx', since: '1h' }, { settings: { log_units: ['nginx'] } });
  const { stderr } = await runCommand('journalctl', ['--no-such-option']);

  assert.match(stderr, /unrecognized option/);
  assert.deepEqual(end, EXITED_0);
});
