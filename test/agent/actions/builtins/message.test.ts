import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { Message, message } from '../../../../agent/actions/builtins/message.js';
import type { NotifySource } from '../../../../agent/actions/notify/notifiers.js';
import { createOutputCapture } from '../../../../agent/actions/output-capture.js';
import type { ParameterValue } from '../../../../protocol/messages/parameters.js';
import type { TestScope } from '../../../support/broker.js';
import { EXITED_0, EXITED_1, TOOLS } from '../../../support/builtins.js';
import { answering, createTestExecutor, idOf, receive } from '../../../support/executor.js';
import { EXECUTION_ID, writeHook } from '../../../support/hooks.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';
import { until } from '../../../support/until.js';

const LINUX = { platform: 'linux', name: 'Linux', uid: 1000, isRoot: false } as const;
const SESSION = { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere' };
const NO_SYSTEM = 'No notification system found (install notify-send or zenity)\n';

/** Notes its arguments, one a line between brackets, and ends as the rest says. */
const noting = (rest = ''): string => `#!/bin/sh
for each in "\${0##*/}" "$@"; do printf '[%s]\\n' "$each"; done >> "\${0%/*}/asked"
${rest}
`;

type Run = Readonly<{ end: unknown; stdout: string; stderr: string; asked: string; directory: string }>;

/** Runs `message` on a node with these programs and no others. */
async function show(
  t: TestScope,
  programs: Readonly<Record<string, string>>,
  {
    parameters = {},
    limitMs = 5_000,
    ...changes
  }: { parameters?: Readonly<Record<string, ParameterValue>>; limitMs?: number } & Partial<NotifySource> = {},
): Promise<Run> {
  const directory = temporaryDirectory(t);
  chmodSync(directory, 0o777); // some run as other users
  for (const [name, script] of Object.entries(programs)) writeHook(directory, name, script);
  const source = { system: LINUX, program: undefined, env: SESSION, ...changes };
  const output = createOutputCapture({ maxBytes: 65_536 });
  const end = await message({ source, limitMs, tools: { ...TOOLS, path: directory } }).run({
    executionId: EXECUTION_ID,
    parameters: new Map(Object.entries(parameters)),
    timeoutMs: 30_000,
    signal: new AbortController().signal,
    output,
  });
  const asked = join(directory, 'asked');
  return {
    ...{ end, directory },
    stdout: output.inline('stdout').data,
    stderr: output.inline('stderr').data,
    asked: existsSync(asked) ? readFileSync(asked, 'utf8') : '',
  };
}

test('F-55, F-57, S-F-20: without parameters the defaults are sent with notify-send, and the result says so', async (t) => {
  const { end, stdout, asked } = await show(t, { 'notify-send': noting() });

  assert.deepEqual(end, EXITED_0);
  assert.equal(asked, '[notify-send]\n[--app-name=Muster]\n[--]\n[DashFleet]\n[No message]\n');
  assert.deepEqual(Message.parse(JSON.parse(stdout)), {
    message: 'Notification sent (notify-send)',
    shown_by: 'notify-send',
    uids: [1000],
  });
});

test('F-55: text goes before message, which is how the fleet queue names it, and empty is not given', async (t) => {
  for (const [parameters, title, text] of [
    [{ title: 'T', text: 'one', message: 'two' }, 'T', 'one'],
    [{ title: '', text: '', message: 'two' }, 'DashFleet', 'two'],
    [{ message: '' }, 'DashFleet', 'No message'],
  ] as const) {
    const { asked } = await show(t, { 'notify-send': noting() }, { parameters });

    assert.equal(asked, `[notify-send]\n[--app-name=Muster]\n[--]\n[${title}]\n[${text}]\n`);
  }
});

test('S-F-17: what a text holds reaches no shell, no markup and no terminal', async (t) => {
  const title = '-t $(touch /tmp/x) `id` "\'\\ \x1b[31m\0\u202e';
  const text = '--help\n<b>&$(reboot);</b>\x07';

  const { asked, end } = await show(t, { 'notify-send': noting() }, { parameters: { title, text } });

  assert.deepEqual(end, EXITED_0);
  assert.deepEqual(asked.split('\n').slice(3), [
    '[-t $(touch /tmp/x) `id` "\'\\ \\x1b[31m\\x00\\u202e]',
    '[--help',
    '&lt;b&gt;&amp;$(reboot);&lt;/b&gt;\\\\x07]',
    '',
  ]);
});

test('a title or text that no screen shows is invalid_parameter, and no program is started', async (t) => {
  for (const parameters of [
    { title: 'x'.repeat(257) },
    { text: 'x'.repeat(4_097) },
    { message: 'x'.repeat(100_000) },
  ]) {
    const { end, asked } = await show(t, { 'notify-send': noting() }, { parameters });

    assert.deepEqual(end, {
      kind: 'error',
      code: 'invalid_parameter',
      message: 'title may have 256 characters, and text 4096',
    });
    assert.equal(asked, '');
  }
});

test('F-58: when notify-send fails zenity shows it, without markup', async (t) => {
  const programs = { 'notify-send': noting('exit 1'), zenity: noting() };
  const { stdout, asked } = await show(t, programs, { parameters: { title: '--t', text: '<b>-x' } });

  assert.equal(Message.parse(JSON.parse(stdout)).message, 'Dialog shown (zenity)');
  assert.equal(asked.split('[zenity]\n')[1], '[--info]\n[--no-markup]\n[--timeout=4]\n[--title=--t]\n[--text=<b>-x]\n');
});

test('S-F-21: while a dialog waits for somebody the agent does what else it is asked for', async (t) => {
  const directory = temporaryDirectory(t);
  const wait = `until [ -e "$0.closed" ]; do /bin/sleep 0.05; done`;
  const { file } = writeHook(directory, 'zenity', noting(wait));
  const source = { system: LINUX, program: undefined, env: SESSION };
  const blocking = message({ source, limitMs: 60_000, tools: { ...TOOLS, path: directory } });
  const { executor, results, resultOf } = await createTestExecutor(t, { actions: [blocking, answering('echo')] });
  const [first, second] = [receive({ action: 'message' }), receive({ action: 'echo' })];

  assert.equal(await executor.execute(first), '');
  await until(() => existsSync(join(directory, 'asked')), { what: 'the dialog' });
  assert.equal(await executor.execute(second), '');

  assert.equal((await resultOf(idOf(second))).status, 'success');
  assert.deepEqual([executor.running(), results(idOf(first))], [[idOf(first)], []]);
  writeFileSync(`${file}.closed`, '');
  assert.equal((await resultOf(idOf(first))).status, 'success');
});

test('S-F-21: a dialog that nobody closes goes by itself when its time is over, and was shown', async (t) => {
  const { end, stdout } = await show(t, { zenity: noting('exit 5') });

  assert.deepEqual(end, EXITED_0);
  assert.equal(Message.parse(JSON.parse(stdout)).shown_by, 'zenity');
});

test('a dialog that has to be ended may never have been seen, and counts as not shown', async (t) => {
  const { end, stderr } = await show(t, { zenity: noting('exec /bin/sleep 60') }, { limitMs: 200 });

  assert.deepEqual(end, EXITED_1);
  assert.equal(stderr, 'Message execution failed: zenity: it did not end in time\n');
});

test('a program that hangs before it has shown anything is given up, and the next one is tried', async (t) => {
  const programs = { 'notify-send': noting('exec /bin/sleep 60'), zenity: noting('exit 1') };

  const { stdout } = await show(t, programs, { limitMs: 200 });

  assert.equal(Message.parse(JSON.parse(stdout)).shown_by, 'zenity', 'who closes a dialog has seen it');
});

test('without a desktop wall writes to the terminals that take it, and nothing is claimed when there are none', async (t) => {
  const wall = noting();
  const here = await show(t, { who: '#!/bin/sh\necho "anna     null         2026-01-31 12:00"\n', wall });
  const nobody = await show(t, { who: '#!/bin/sh\n', wall });
  const window = await show(t, { who: '#!/bin/sh\necho "anna :0 2026-01-31"\n', wall });

  assert.equal(Message.parse(JSON.parse(here.stdout)).message, 'Message sent to 1 terminal (wall)');
  assert.equal(here.asked, '[wall]\n[--]\n[DashFleet]\n[\nNo message]\n');
  for (const { end, stderr, asked } of [nobody, window]) {
    assert.deepEqual([end, stderr, asked], [EXITED_1, NO_SYSTEM, '']);
  }
});

test('F-59, S-F-19: a node with no way to show anything says what to install', async (t) => {
  const { end, stdout, stderr } = await show(t, {});

  assert.deepEqual([end, stdout, stderr], [EXITED_1, '', NO_SYSTEM]);
});

test('F-62: when every way fails the reasons are told', async (t) => {
  const programs = {
    'notify-send': noting('echo "no such service" >&2; exit 1'),
    zenity: noting('echo "cannot open display" >&2; exit 1'),
    who: '#!/bin/sh\necho "anna null"\n',
    wall: noting('exit 1'),
  };
  const { end, stderr } = await show(t, programs);

  assert.deepEqual(end, EXITED_1);
  assert.equal(
    stderr,
    'Message execution failed: notify-send: no such service; zenity: cannot open display; wall: exit code 1\n',
  );
});

test('F-61, S-F-19: another system is named', async (t) => {
  const system = { ...LINUX, platform: 'freebsd', name: 'FreeBSD' } as const;
  const { end, stderr } = await show(t, { 'notify-send': noting() }, { system });

  assert.deepEqual([end, stderr], [EXITED_1, 'Unsupported OS: FreeBSD\n']);
});

test('a program of the owner gets title and text as arguments and by name, before all others', async (t) => {
  const directory = temporaryDirectory(t);
  const { file } = writeHook(directory, 'sign', noting('echo "$MUSTER_MESSAGE_TITLE/$MUSTER_MESSAGE_TEXT" > "$0.env"'));
  const programs = { 'notify-send': noting() };
  const parameters = { title: '-t', text: 'a\nb' };

  const { stdout, asked } = await show(t, programs, { program: file, parameters });
  const elsewhere = await show(t, programs, { program: '/nonexistent/sign', parameters });

  assert.equal(Message.parse(JSON.parse(stdout)).message, `Message shown (${file})`);
  assert.equal(asked, '');
  assert.equal(readFileSync(join(directory, 'asked'), 'utf8'), '[sign]\n[-t]\n[a\nb]\n');
  assert.equal(readFileSync(join(directory, 'sign.env'), 'utf8'), '-t/a\nb\n');
  assert.equal(Message.parse(JSON.parse(elsewhere.stdout)).shown_by, 'notify-send');
});

test('F-60, F-92, S-F-17: macOS gets the texts as arguments of a fixed script, and its failure is told', async (t) => {
  const system = { ...LINUX, platform: 'darwin', name: 'Darwin' } as const;
  const parameters = { title: '"', text: '" & (do shell script "id") & "' };

  const { stdout, asked } = await show(t, { osascript: noting() }, { system, parameters });
  const failing = await show(t, { osascript: noting('echo "not allowed" >&2; exit 1') }, { system });

  assert.equal(Message.parse(JSON.parse(stdout)).message, 'Notification sent (macOS)');
  assert.deepEqual(asked.split('\n').slice(-4), ['[--]', '["]', '[" & (do shell script "id") & "]', '']);
  assert.doesNotMatch(asked.split('[--]')[0] ?? '', /do shell/);
  assert.equal(failing.stderr, 'Message execution failed: not allowed\n');
});

test('F-60: root of macOS reaches the session of whoever owns the console', async (t) => {
  const system = { platform: 'darwin', name: 'Darwin', uid: 0, isRoot: true } as const;

  const { asked } = await show(t, { launchctl: noting() }, { system });

  assert.match(asked, /^\[launchctl\]\n\[asuser\]\n\[\d+\]\n\[sudo\]\n\[-n\]\n\[-u\]\n\[#\d+\]\n\[osascript\]\n\[-e\]/);
});

test('F-56, F-92: Windows gets the texts in the environment of a fixed script that shows flags 0x1000 and 0x40', async (t) => {
  const system = { ...LINUX, platform: 'win32', name: 'Windows_NT' } as const;
  const script = noting('echo "$MUSTER_MESSAGE_TITLE|$MUSTER_MESSAGE_TEXT" > "$0.env"');

  const { stdout, asked, directory } = await show(
    t,
    { 'powershell.exe': script },
    {
      system,
      parameters: { title: '$(id)', text: "'; exit" },
    },
  );

  assert.equal(Message.parse(JSON.parse(stdout)).message, 'Message displayed (Windows)');
  assert.equal(readFileSync(join(directory, 'powershell.exe.env'), 'utf8'), "$(id)|'; exit\n");
  const [, encoded = ''] = /\[-EncodedCommand\]\n\[([A-Za-z0-9+/=]+)\]/.exec(asked) ?? [];
  const decoded = Buffer.from(encoded, 'base64').toString('utf16le');
  assert.match(decoded, /WTSSendMessageW\(.*[\s\S]*0x1040/);
  assert.doesNotMatch(decoded, /\$\(id\)/);
});

test('root sends it into the session of each user who is logged in, as that user', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('needs root');
  const sessionsDirectory = temporaryDirectory(t);
  chmodSync(sessionsDirectory, 0o755);
  for (const uid of [61_001, 61_002]) await logIn(t, sessionsDirectory, uid);
  mkdirSync(join(sessionsDirectory, '61003')); // root's own, so not that user's
  const script = noting('who=$(/usr/bin/id -u); echo "$(/usr/bin/id -G) $DBUS_SESSION_BUS_ADDRESS" > "$0.$who"');

  const { stdout, directory } = await show(
    t,
    { 'notify-send': script },
    {
      system: { ...LINUX, uid: 0, isRoot: true },
      sessionsDirectory,
    },
  );

  assert.deepEqual(Message.parse(JSON.parse(stdout)).uids, [61_001, 61_002]);
  for (const uid of [61_001, 61_002]) {
    const said = readFileSync(join(directory, `notify-send.${uid}`), 'utf8');
    assert.equal(said, `${uid} unix:path=${sessionsDirectory}/${uid}/bus\n`);
  }
});

test('root on a node where nobody is logged in claims nothing', async (t) => {
  const { end, stderr } = await show(
    t,
    { 'notify-send': noting() },
    {
      system: { ...LINUX, uid: 0, isRoot: true },
      sessionsDirectory: temporaryDirectory(t),
    },
  );

  assert.deepEqual([end, stderr], [EXITED_1, 'Message execution failed: notify-send: nobody is logged in\n']);
});

/** What systemd makes for a user who is logged in: a directory with the socket of the session bus. */
async function logIn(t: TestScope, directory: string, uid: number): Promise<void> {
  const place = join(directory, String(uid));
  mkdirSync(place, { mode: 0o700 });
  const bus = createServer();
  await new Promise<void>((listening) => bus.listen(join(place, 'bus'), listening));
  t.after(() => bus.close());
  for (const path of [place, join(place, 'bus')]) chownSync(path, uid, uid);
}
