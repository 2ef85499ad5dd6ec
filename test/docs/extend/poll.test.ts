import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { invoke } from '../../support/asks.js';
import { findCommand, runCommand } from '../../support/commands.js';
import { OWNER } from '../../support/core.js';
import { type PollingInstallation, startPollingInstallation } from '../../support/polling.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { createTestClock } from '../../support/test-clock.js';
import { until } from '../../support/until.js';

const CLIENT = fileURLToPath(new URL('../../../docs/extend/poll.sh', import.meta.url));
const NODE = 'kiosk-1';

/** How the client is started, if not for one cycle. */
type How = Readonly<{ args: readonly string[]; env: Readonly<Record<string, string>> }>;

type Kiosk = PollingInstallation &
  Readonly<{
    state: string;
    /** What the node's programs did, one line each. */
    ledger: () => string[];
    addProgram: (name: string, body: string) => void;
    /** One cycle of the client, to its end; gives what it logged. */
    cycle: (url?: string) => Promise<string>;
    start: (url?: string, how?: How) => ReturnType<typeof spawn>;
    ask: (action: string, parameters?: Record<string, string>) => Promise<string>;
    ended: (id: string) => Promise<readonly [string | undefined, string | null | undefined]>;
  }>;

async function startKiosk(t: TestContext): Promise<Kiosk> {
  const clock = createTestClock();
  const installation = await startPollingInstallation(t, { clock });
  const directory = temporaryDirectory(t);
  const [state, actions, tokenFile] = ['state', 'actions', 'token'].map((name) => join(directory, name));
  const ledgerFile = join(directory, 'ledger');
  for (const made of [state, actions]) mkdirSync(made ?? '');
  writeFileSync(tokenFile ?? '', await installation.addNode(NODE), { mode: 0o600 });
  const { invocations } = installation.muster.core.services;

  const start: Kiosk['start'] = (url = installation.url, { args, env } = { args: ['--once'], env: {} }) => {
    const child = spawn('sh', [CLIENT, ...args], {
      detached: true, // so that a kill ends what it started, too
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...{ PATH: process.env.PATH, MUSTER_URL: `${url}/`, MUSTER_NODE: NODE, MUSTER_STATE: state },
        ...{ MUSTER_TOKEN_FILE: tokenFile, MUSTER_ACTIONS: actions, LEDGER: ledgerFile },
        ...env,
      },
    });
    t.after(() => kill(child.pid));
    return child;
  };
  return {
    ...installation,
    ...{ state: state ?? '', start },
    ledger: () => (existsSync(ledgerFile) ? readFileSync(ledgerFile, 'utf8').split('\n').slice(0, -1) : []),
    addProgram(name, body) {
      const file = join(actions ?? '', name);
      writeFileSync(file, `#!/bin/sh\n${body}\n`);
      chmodSync(file, 0o755);
    },
    async cycle(url) {
      const child = start(url);
      let said = '';
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      const exitCode = await new Promise((resolve) => child.once('close', resolve));
      assert.equal(exitCode, 0, said);
      return said;
    },
    ask: (action, parameters = {}) => invoke(invocations, { nodes: [NODE] }, { action, parameters }),
    async ended(id) {
      const view = await invocations.execution('default', id, NODE);
      return [view?.status, view?.status === 'success' ? view.stdout : view?.stderr];
    },
  };
}

function kill(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

/** What the client needs of this machine; the reason to skip when it is not there. */
function whatIsMissing(): string | undefined {
  const missing = ['sh', 'curl', 'jq'].filter((name) => findCommand(name) === undefined);
  return missing.length === 0 ? undefined : `needs ${missing.join(' and ')}`;
}

/** Passes requests on, and cuts the connection instead of giving the answers that `isLost` picks. */
async function startLossyProxy(t: TestContext, target: string, isLost: (path: string) => boolean): Promise<string> {
  const server = createServer((incoming, outgoing) => {
    const path = incoming.url ?? '';
    const { method = 'GET', headers } = incoming;
    const passed = request(`${target}${path}`, { method, headers }, (answer) => {
      if (isLost(path)) answer.resume().once('end', () => outgoing.destroy());
      else answer.pipe(outgoing.writeHead(answer.statusCode ?? 502, answer.headers));
    });
    incoming.pipe(passed);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return `http://127.0.0.1:${address.port}`;
}

test('F-51, F-54, F-67, F-69, F-70, F-71, S-F-23: the polling client runs each action once, one after another, and reports and logs it', async (t) => {
  const missing = whatIsMissing();
  if (missing !== undefined) return t.skip(missing);
  const { addProgram, ask, cycle, ended, ledger, state } = await startKiosk(t);
  addProgram('message', 'jq -c . >>"$LEDGER"; echo "Notification sent (notify-send)"');
  addProgram('reboot', 'echo reboot >>"$LEDGER"; echo "Reboot command failed: not permitted" >&2; exit 1');
  const message = { message: 'Grüße "$(id)" \\ 👋', title: "it's\nhere" };

  const ids = [await ask('message', message), await ask('reboot'), await ask('restart'), await ask('message')];
  const logged = await cycle();
  await cycle();

  assert.equal(logged.match(/^\d\d:\d\d:\d\d \S+ reported: (done|error) .+$/gm)?.length, 4, logged);
  assert.deepEqual(
    ledger().map((line) => (line === 'reboot' ? line : JSON.parse(line))),
    [message, 'reboot', {}],
  );
  assert.deepEqual(await Promise.all(ids.map(ended)), [
    ['success', 'Notification sent (notify-send)'],
    ['failed', 'Reboot command failed: not permitted'],
    ['failed', 'Unknown action type: restart'],
    ['success', 'Notification sent (notify-send)'],
  ]);
  assert.equal(existsSync(join(state, 'fetch', 'answer')), false);
});

test('F-3, F-68, F-72: the polling client asks every 30 s, or as often as it is told, and never without a pause', async (t) => {
  const missing = whatIsMissing();
  if (missing !== undefined) return t.skip(missing);
  for (const [interval, seconds] of [
    [undefined, '30'],
    ['5', '5'],
    ['0', '1'],
    ['often', '1'],
  ] as const) {
    const { ledger, start } = await startKiosk(t);
    const programs = temporaryDirectory(t);
    writeFileSync(join(programs, 'sleep'), '#!/bin/sh\necho "$1" >>"$LEDGER"\n', { mode: 0o755 });
    const env = { PATH: `${programs}:${process.env.PATH}`, ...(interval && { MUSTER_INTERVAL: interval }) };

    const client = start(undefined, { args: [], env });
    await until(() => ledger().length >= 2, { what: 'two cycles' });
    kill(client.pid);

    assert.deepEqual([...new Set(ledger())], [seconds]);
  }
});

test('F-88: the documented call with curl puts a message into the queue, and the client shows it', async (t) => {
  const missing = whatIsMissing();
  if (missing !== undefined) return t.skip(missing);
  const { addProgram, cycle, ledger, people, url } = await startKiosk(t);
  addProgram('message', 'jq -c . >>"$LEDGER"');

  const data = { message: 'Hello from DashFleet!', title: 'Test' };
  const queued = await runCommand('curl', [
    ...['-sS', '-X', 'POST', `${url}/api/actions/queue`],
    ...['-H', `Authorization: Bearer ${people.admin}`, '-H', 'Content-Type: application/json'],
    ...['-d', JSON.stringify({ machine_id: NODE, action_type: 'message', data }, undefined, 2)],
  ]);
  await cycle();

  assert.match(queued.stdout, /^\{"ok":true,"action_id":"default:kiosk-1:\d{13}"\}$/);
  assert.deepEqual(
    ledger().map((line) => JSON.parse(line)),
    [data],
  );
});

test('S-F-22, F-52: every answer is lost once, and each action still runs once and ends', async (t) => {
  const missing = whatIsMissing();
  if (missing !== undefined) return t.skip(missing);
  const { addProgram, ask, cycle, ended, ledger, url } = await startKiosk(t);
  addProgram('message', 'echo shown | tee -a "$LEDGER"');
  const lost = new Set<string>();
  const proxy = await startLossyProxy(t, url, (path) => {
    const isFirst = !lost.has(path);
    lost.add(path);
    return isFirst;
  });

  const ids = [await ask('message'), await ask('message')];
  for (let at = 0; at < 6; at += 1) await cycle(proxy);

  assert.deepEqual(ledger(), ['shown', 'shown']);
  assert.deepEqual(await Promise.all(ids.map(ended)), [
    ['success', 'shown'],
    ['success', 'shown'],
  ]);
  assert.equal(lost.size, 4); // the fetch, an ack for each, the reports
});

test('S-F-15, S-F-16: killed in the middle, it tells so and starts nothing again; a restart is done by the next one', async (t) => {
  const missing = whatIsMissing();
  if (missing !== undefined) return t.skip(missing);
  for (const [action, boot, told] of [
    ['message', 'the same', ['failed', 'Interrupted: it may have run in part']],
    ['restart', 'the same', ['success', 'Agent restarted']],
    ['reboot', 'the same', ['failed', 'Interrupted: it may have run in part']],
    ['reboot', 'another', ['success', 'Node rebooted']],
    ['reboot', 'an unknown', ['failed', 'Interrupted: it may have run in part']],
  ] as const) {
    const { addProgram, ask, cycle, ended, ledger, start, state } = await startKiosk(t);
    addProgram(action, 'echo begun >>"$LEDGER"; sleep 60');
    const id = await ask(action);

    const client = start();
    await until(() => ledger().length === 1, { what: 'the begin of the action' });
    kill(client.pid);
    await new Promise((resolve) => client.once('close', resolve));
    const begun = join(state, 'fetch', '0.begun');
    if (boot === 'another') writeFileSync(begun, 'the boot before\n');
    if (boot === 'an unknown') writeFileSync(begun, '');
    await cycle();
    await cycle();

    assert.deepEqual([ledger(), await ended(id)], [['begun'], told], `${action}, ${boot} boot`);
  }
});

test('what was cancelled while the client had it is not started', async (t) => {
  const missing = whatIsMissing();
  if (missing !== undefined) return t.skip(missing);
  const { addProgram, ask, cycle, ledger, muster, url, ended } = await startKiosk(t);
  addProgram('message', 'echo shown >>"$LEDGER"');
  const id = await ask('message');
  const proxy = await startLossyProxy(t, url, (path) => path.includes('/pending'));
  await cycle(proxy);

  await muster.core.services.invocations.cancel(OWNER, id, {});
  await cycle();
  await cycle();

  assert.deepEqual([ledger(), (await ended(id))[0]], [[], 'cancelled']);
});
