import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type RebootDeps, reboot } from '../../../../agent/actions/builtins/reboot.js';
import { MusterError } from '../../../../protocol/errors.js';
import type { ParameterValue } from '../../../../protocol/messages/parameters.js';
import type { Result } from '../../../../protocol/messages/result.js';
import type { TestScope } from '../../../support/broker.js';
import { ownProcess, TOOLS } from '../../../support/builtins.js';
import { createTestExecutor, idOf, receive, type TestExecutor, waiting } from '../../../support/executor.js';
import { writeHook } from '../../../support/hooks.js';
import { openTestJournal, withOwn } from '../../../support/journal.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';
import { until } from '../../../support/until.js';

/** Stands in for a program that reboots: notes what it is asked, and fails as the file beside it says. */
const STAND_IN = `#!/bin/sh
echo "\${0##*/} $*" >> "\${0%/*}/asked"
[ ! -e "$0.fails" ] || { /bin/cat "$0.fails" >&2; exit 1; }
`;

const BOOTS = ['8a7b6c5d-0000-4000-8000-00000000000a', '8a7b6c5d-0000-4000-8000-00000000000b'] as const;

/** A node whose machine reboots when a test says so, with nothing but stand-ins on its PATH. */
type Node = TestExecutor &
  Readonly<{
    /** What its programs were asked, one line each. */
    asked: () => string[];
    fail: (program: string, sentence: string) => void;
    mend: (program: string) => void;
    ask: (parameters?: Readonly<Record<string, ParameterValue>>) => Promise<string>;
    result: (id: string) => Promise<Result>;
    end: () => Promise<void>;
  }>;

async function startNode(
  t: TestScope,
  {
    directory = temporaryDirectory(t),
    boot = BOOTS[0],
    processId = 'one',
    platform,
    ...changes
  }: {
    directory?: string;
    boot?: string;
    processId?: string;
    platform?: Partial<RebootDeps['platform']>;
  } & Partial<Pick<RebootDeps, 'patienceMs' | 'command'>> = {},
): Promise<Node> {
  for (const name of ['reboot-it', 'shutdown', 'sudo', 'killall']) writeHook(directory, name, STAND_IN);
  const asked = join(directory, 'asked');
  const { machine } = ownProcess();
  const others = waiting('wait');
  t.after(others.release);
  const action = reboot({
    own: { machine: { ...machine, processId, bootId: boot }, running: () => node.executor.activeCount() },
    platform: { platform: 'linux', isRoot: true, ...platform },
    command: join(directory, 'reboot-it'),
    tools: { ...TOOLS, path: directory },
    ...changes,
  });
  const node = await createTestExecutor(t, {
    directory,
    machine: { processId, bootId: boot },
    actions: [action, others.action],
  });
  await node.executor.recover();
  return {
    ...node,
    asked: () => (existsSync(asked) ? readFileSync(asked, 'utf8').split('\n').slice(0, -1) : []),
    fail: (program, sentence) => writeFileSync(join(directory, `${program}.fails`), `${sentence}\n`),
    mend: (program) => rmSync(join(directory, `${program}.fails`)),
    async ask(parameters = {}) {
      const request = receive({ action: 'reboot', parameters });
      assert.equal(await node.executor.execute(request), '');
      return idOf(request);
    },
    result: node.resultOf,
    async end() {
      await node.executor.shutdown(0, AbortSignal.abort());
      await node.journal.close();
    },
  };
}

function whenAsked({ asked }: Node, count: number): Promise<unknown> {
  return until(() => asked().length === count, { what: `${count} orders to reboot` });
}

test('S-F-16, F-65: a reboot is reported done only by a process in another boot, with the time away, and once', async (t) => {
  const directory = temporaryDirectory(t);
  const one = await startNode(t, { directory });
  const id = await one.ask();
  await whenAsked(one, 1);
  await one.end();
  assert.deepEqual([one.asked(), one.results(id)], [['reboot-it schedule 60'], []]);

  const same = await startNode(t, { directory, processId: 'two' });
  assert.deepEqual(same.executor.running(), [id], 'an agent that was only restarted goes on waiting');
  await same.end();
  assert.deepEqual(same.results(id), []);

  const next = await startNode(t, { directory, processId: 'three', boot: BOOTS[1] });
  const { status, stdout, stderr } = await next.result(id);
  const { message, away_ms } = JSON.parse(stdout);
  assert.deepEqual(
    [status, message, stderr],
    ['success', 'Reboot scheduled (1 minute)', 'Reboot scheduled (1 minute)\n'],
  );
  assert.ok(Number.isInteger(away_ms) && away_ms >= 0);
  await next.end();

  const last = await startNode(t, { directory, processId: 'four', boot: BOOTS[1] });
  assert.deepEqual([last.executor.running(), last.results(id)], [[], []]);
  assert.equal(last.asked().length, 1);
});

for (const [what, platform, parameters, orders, said] of [
  ['F-64: Windows', { platform: 'win32' }, {}, ['shutdown /r /t 60'], 'Reboot scheduled (60 seconds)'],
  [
    'Windows with seconds',
    { platform: 'win32' },
    { delay: '90s' },
    ['shutdown /r /t 90'],
    'Reboot scheduled (90 seconds)',
  ],
  ['F-65: root on Linux', { platform: 'linux' }, {}, ['shutdown -r +1'], 'Reboot scheduled (1 minute)'],
  ['root at once', { platform: 'linux' }, { delay: '0s' }, ['shutdown -r +0'], 'Reboot scheduled (0 minutes)'],
  ['root later', { platform: 'linux' }, { delay: '1h' }, ['shutdown -r +60'], 'Reboot scheduled (60 minutes)'],
  [
    'F-65: a user of macOS',
    { platform: 'darwin', isRoot: false },
    {},
    ['sudo -n shutdown -r +1'],
    'Reboot scheduled (1 minute)',
  ],
] as const) {
  test(`${what}: a reboot is ordered with the platform's own program`, async (t) => {
    const node = await startNode(t, { platform, command: undefined });

    const id = await node.ask(parameters);

    await whenAsked(node, orders.length);
    assert.deepEqual(node.asked(), orders);
    await node.executor.cancel({ id, reason: 'enough', expiresMs: Date.now() });
    assert.equal((await node.result(id)).stderr, `${said}\n`);
  });
}

test('F-65: a user of Linux asks logind, then sudo', async (t) => {
  const node = await startNode(t, { platform: { isRoot: false }, command: undefined });
  node.fail('shutdown', 'Failed to set wall message, ignoring: denied\nFailed to schedule shutdown: denied');

  await node.ask();

  await whenAsked(node, 2);
  assert.deepEqual(node.asked(), ['shutdown -r +1', 'sudo -n shutdown -r +1']);
});

test('F-66: an order that fails is told in the words of the program, and another may follow', async (t) => {
  const node = await startNode(t);
  node.fail('reboot-it', 'ignoring this\nnot permitted');

  const { status, stderr } = await node.result(await node.ask());

  assert.deepEqual([status, stderr], ['failed', 'Reboot command failed: not permitted\n']);
  node.mend('reboot-it');
  await node.ask();
  await whenAsked(node, 2);
});

test('F-66: a program that is not there is told', async (t) => {
  const node = await startNode(t, { command: '/nonexistent/reboot' });

  const { status, stderr } = await node.result(await node.ask());

  assert.deepEqual(
    [status, stderr],
    ['failed', 'Reboot command failed: /nonexistent/reboot could not be started (ENOENT)\n'],
  );
});

test('a second reboot while one is scheduled is refused with what to do, also by the next process', async (t) => {
  const directory = temporaryDirectory(t);
  const one = await startNode(t, { directory });
  const [first, second] = await Promise.all([one.ask({ force: true }), one.ask({ force: true })]);
  const refused = await Promise.race([one.result(first), one.result(second)]);
  const scheduled = refused.execution_id === first ? second : first;
  assert.equal(refused.status, 'failed');
  assert.match(refused.stderr, new RegExp(`by execution ${scheduled}: wait for it, or cancel that one first`));
  await whenAsked(one, 1);
  await one.end();

  const two = await startNode(t, { directory, processId: 'two' });
  assert.match((await two.result(await two.ask())).stderr, new RegExp(`by execution ${scheduled}`));
  assert.equal(two.asked().length, 1);
});

test('a reboot is refused while another action runs, unless it is forced', async (t) => {
  const node = await startNode(t);
  await node.executor.execute(receive({ action: 'wait' }));

  const { status, stderr } = await node.result(await node.ask());
  assert.deepEqual([status, node.asked()], ['failed', []]);
  assert.match(stderr, /since another action runs: wait for their end, cancel them, or ask with force=true/);

  await node.ask({ force: true });
  await whenAsked(node, 1);
});

test('a cancel calls the reboot off, and the next one may come', async (t) => {
  const node = await startNode(t);
  const id = await node.ask();
  await whenAsked(node, 1);

  await node.executor.cancel({ id, reason: 'not now', expiresMs: Date.now() });

  const { status, launched } = await node.result(id);
  assert.deepEqual([status, launched], ['cancelled', 'yes']);
  assert.deepEqual(node.asked(), ['reboot-it schedule 60', 'reboot-it cancel']);
  await node.ask();
  await whenAsked(node, 3);
});

test('a cancel that the agent heard and could not act upon is acted upon by the next process', async (t) => {
  const directory = temporaryDirectory(t);
  const one = await startNode(t, { directory });
  const id = await one.ask();
  await whenAsked(one, 1);
  await one.end();
  const journal = await openTestJournal(t, directory);
  await journal.cancel({ id, reason: 'not now', expiresMs: Date.now() });
  await journal.close();

  const two = await startNode(t, { directory, processId: 'two' });

  assert.equal((await two.result(id)).status, 'cancelled');
  assert.deepEqual(two.asked(), ['reboot-it schedule 60', 'reboot-it cancel']);
});

test('a reboot that cannot be called off is not reported as cancelled', async (t) => {
  const directory = temporaryDirectory(t);
  const one = await startNode(t, { directory });
  const id = await one.ask();
  await whenAsked(one, 1);
  one.fail('reboot-it', 'too late');

  await one.executor.cancel({ id, reason: 'not now', expiresMs: Date.now() });
  await whenAsked(one, 2);
  await one.end();

  assert.deepEqual(one.results(id), []);
  const next = await startNode(t, { directory, processId: 'two', boot: BOOTS[1] });
  assert.equal((await next.result(id)).status, 'success');
});

test('a reboot that is cancelled while it is ordered, and cannot be called off, says that it may come', async (t) => {
  const { file: command } = writeHook(
    temporaryDirectory(t),
    'slow',
    '#!/bin/sh\n[ "$1" = schedule ] && : > "$0.asked" && exec /bin/sleep 60\necho "too late" >&2; exit 1\n',
  );
  const node = await startNode(t, { command });
  const id = await node.ask();
  await until(() => existsSync(`${command}.asked`), { what: 'the order to reboot' });

  await node.executor.cancel({ id, reason: 'not now', expiresMs: Date.now() });

  const { status, stderr } = await node.result(id);
  assert.equal(status, 'cancelled');
  assert.match(stderr, /^It could not be called off, so it may still come: too late$/m);
});

test('a node that stays up past the time is reboot_not_seen, and the order is called off', async (t) => {
  const node = await startNode(t, { patienceMs: 50 });

  const { status, error_code, error } = await node.result(await node.ask({ delay: '0s' }));

  assert.deepEqual([status, error_code], ['error', 'reboot_not_seen']);
  assert.match(error ?? '', /still up long after its time\. The order was called off\.$/);
  assert.deepEqual(node.asked(), ['reboot-it schedule 0', 'reboot-it cancel']);
});

test('a journal that does not take the handover keeps the node from being rebooted', async (t) => {
  const directory = temporaryDirectory(t);
  const journal = await openTestJournal(t, directory);
  writeHook(directory, 'reboot-it', STAND_IN);
  const full = async (): Promise<void> => {
    throw new MusterError('storage_failed', 'the disk is full');
  };
  const { executor, resultOf } = await createTestExecutor(t, {
    journal: withOwn(journal, { handOver: full }),
    actions: [
      reboot({
        own: ownProcess(),
        platform: { platform: 'linux', isRoot: true },
        command: join(directory, 'reboot-it'),
        tools: TOOLS,
      }),
    ],
  });
  const request = receive({ action: 'reboot' });

  await executor.execute(request);

  const { status, error_code } = await resultOf(idOf(request));
  assert.deepEqual([status, error_code, existsSync(join(directory, 'asked'))], ['error', 'storage_failed', false]);
});

test('a node whose owner has switched it off refuses every reboot', async (t) => {
  const node = await startNode(t, { command: 'off' });

  const { error_code, error } = await node.result(await node.ask({ force: true }));

  assert.equal(error_code, 'not_allowed_on_node');
  assert.match(error ?? '', /^agent\.reboot_command of this node is off\./);
  assert.deepEqual(node.asked(), []);
});

for (const delay of ['-1m', '61m', '30s', 'soon', '1', '1m; reboot', '100h']) {
  test(`a delay of ${delay} on Linux is invalid_parameter, and nothing is ordered`, async (t) => {
    const node = await startNode(t, { command: undefined });

    const { error_code, error } = await node.result(await node.ask({ delay }));

    assert.equal(error_code, 'invalid_parameter');
    assert.match(error ?? '', /in whole minutes, such as 1m, and 1h at most/);
    assert.deepEqual(node.asked(), []);
  });
}
