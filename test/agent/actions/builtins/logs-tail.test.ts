import assert from 'node:assert/strict';
import { appendFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { LogsTail } from '../../../../agent/actions/builtins/logs-tail.js';
import type { ParameterValue } from '../../../../protocol/messages/parameters.js';
import { EXITED_0, EXITED_1, runBuiltin } from '../../../support/builtins.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';

type Tail = Readonly<{ told: LogsTail; texts: string[] }>;

/** What logs_tail prints of the file `log` in a directory that it may read. */
async function tail(
  directory: string,
  parameters: Record<string, ParameterValue> = {},
  maxOutputBytes = 1024 * 1024,
): Promise<Tail> {
  const { end, stdout, stderr } = await runBuiltin(
    'logs_tail',
    { file: join(directory, 'log'), ...parameters },
    { maxOutputBytes, settings: { log_files: [directory] } },
  );
  assert.deepEqual(end, EXITED_0, stderr);
  const told = LogsTail.parse(JSON.parse(stdout));
  return { told, texts: told.lines.map(({ text }) => text) };
}

test('the newest lines come, the oldest of them first', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'log'), Array.from({ length: 500 }, (_, index) => `line ${index}\r\n`).join(''));

  const { told, texts } = await tail(directory, { lines: 3 });
  const all = await tail(directory, { lines: 1000 });

  assert.deepEqual(texts, ['line 497', 'line 498', 'line 499']);
  assert.equal(told.has_older, true);
  assert.equal((await tail(directory)).texts.length, 100);
  assert.deepEqual([all.texts.length, all.told.has_older], [500, false]);
});

test('however long the lines are, they are the last ones of the file', async (t) => {
  const directory = temporaryDirectory(t);
  // Around the size of the blocks in which the file is read.
  const lengths = fc.array(fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 65_400, max: 65_700 })), {
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(lengths, fc.boolean(), async (sizes, isEnded) => {
      const lines = sizes.map((size, index) => String.fromCharCode(97 + index).repeat(size));
      const isEmpty = lines.length === 0 || (lines.length === 1 && lines[0] === '' && !isEnded);
      const content = isEmpty ? '' : lines.join('\n') + (isEnded || lines.at(-1) === '' ? '\n' : '');
      writeFileSync(join(directory, 'log'), content);

      assert.deepEqual((await tail(directory)).texts, isEmpty ? [] : lines.map((line) => line.slice(0, 4096)));
    }),
    { numRuns: 60 },
  );
});

test('a huge line without an end is cut, and characters are never split', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'log'), `x${'é'.repeat(3_000_000)}`);

  const { told, texts } = await tail(directory);

  assert.equal(texts[0], `x${'é'.repeat(2047)}`);
  assert.equal(told.lines[0]?.is_cut, true);
});

test('binary bytes and a sparse giant leave JSON that can be read', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'log'), Buffer.from([0xff, 0xfe, 0x00, 0x0a, 0x1b, 0x5b, 0x41]));
  assert.deepEqual((await tail(directory)).texts, ['\ufffd\ufffd\0', '\x1b[A']);

  truncateSync(join(directory, 'log'), 20 * 1024 ** 3);
  appendFileSync(join(directory, 'log'), '\nlast\n');
  const { told, texts } = await tail(directory);
  assert.deepEqual([texts, told.has_older], [['last'], true]);
});

test('lines are left out from the oldest on when the output would be too long', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'log'), `${'"'.repeat(900)}\n`.repeat(20));

  const { told, texts } = await tail(directory, {}, 8192);

  assert.deepEqual([texts.length, told.has_older], [4, true]);
});

test('contains picks lines out of more than would be shown', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'log'), `a $(reboot) b\n${'noise\n'.repeat(5000)}`);

  assert.deepEqual((await tail(directory, { contains: '$(reboot)' })).texts, ['a $(reboot) b']);
  assert.deepEqual((await tail(directory, { contains: '.*' })).texts, []);
});

test('since leaves out what is older, and keeps lines without a time with the one above', async (t) => {
  const directory = temporaryDirectory(t);
  const minutesAgo = (count: number): string => new Date(Date.now() - count * 60_000).toISOString();
  const lines = [
    `${minutesAgo(90)} old`,
    '  of the old',
    `${minutesAgo(5)} new`,
    '  of the new',
    `${minutesAgo(1)} newest`,
  ];
  writeFileSync(join(directory, 'log'), `${lines.join('\n')}\n`);

  assert.deepEqual((await tail(directory, { since: '1h' })).texts, lines.slice(2));
  assert.deepEqual((await tail(directory, { since: minutesAgo(2) })).texts, lines.slice(4));
  assert.deepEqual((await tail(directory, { since: '1h', contains: 'of the' })).texts, ['  of the new']);
  assert.equal((await tail(directory)).told.lines[0]?.time, lines[0]?.slice(0, 24));
});

test('just after a rotation the lines before it come too', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'log.1'), 'one\ntwo\n');
  writeFileSync(join(directory, 'log'), 'three\n');

  assert.deepEqual((await tail(directory, { lines: 2 })).texts, ['two', 'three']);
});

test('since needs lines with times, and says so', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'log'), 'no time\n');
  const parameters = { file: join(directory, 'log'), since: '1h' };

  const { end, stderr } = await runBuiltin('logs_tail', parameters, { settings: { log_files: [directory] } });

  assert.deepEqual(end, EXITED_1);
  assert.match(stderr, /do not begin with a time that can be read/);
});

test('parameters that make no sense are refused before anything is read', async () => {
  const faults: [Record<string, ParameterValue>, string][] = [
    [{}, 'give either parameter file or unit'],
    [{ file: '/a', unit: 'b' }, 'give either parameter file or unit'],
    [{ file: '/a', lines: 0 }, 'parameter lines must be 1 to 1000'],
    [{ file: '/a', lines: 1001 }, 'parameter lines must be 1 to 1000'],
    ...['yesterday', '-5m', '0s', '2026-13-01T00:00:00Z', '2026-01-01'].map(
      (since): [Record<string, ParameterValue>, string] => [
        { file: '/a', since },
        'parameter since must be a duration such as 15m, or a time such as 2026-01-31T12:00:00Z',
      ],
    ),
  ];
  for (const [parameters, message] of faults) {
    const { end } = await runBuiltin('logs_tail', parameters);
    assert.deepEqual(end, { kind: 'error', code: 'invalid_parameter', message });
  }
});

test('a file or a unit that no setting lists is not_allowed_on_node', async () => {
  for (const [parameters, setting] of [
    [{ file: '/etc/shadow' }, 'log_files'],
    [{ unit: 'ssh' }, 'log_units'],
    [{ unit: '*' }, 'log_units'],
  ] as const) {
    const { end } = await runBuiltin('logs_tail', parameters, {
      settings: { log_units: ['nginx'], log_files: ['/var/log'] },
    });

    assert.equal(end.kind === 'error' ? end.code : undefined, 'not_allowed_on_node');
    assert.match(end.kind === 'error' ? end.message : '', new RegExp(`^agent\\.${setting} `));
  }
});

test('a file that opens and cannot be read exits with 1 and says the errno', async () => {
  const parameters = { file: '/sys/class/net/lo/speed' };
  const { end, stderr } = await runBuiltin('logs_tail', parameters, { settings: { log_files: ['/sys'] } });

  assert.deepEqual(end, EXITED_1);
  assert.match(stderr, /\/lo\/speed cannot be read: EINVAL\n$/);
});
