import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type Client, createClient } from '../../cli/client.js';
import { findCommand, runCommand } from '../support/commands.js';
import { writeHook } from '../support/hooks.js';
import { endOf } from '../support/muster.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';
import { interrupt, startUpWith, type Up } from '../support/up.js';

const CLIENT = fileURLToPath(new URL('../../docs/extend/poll.sh', import.meta.url));

const Queued = z.strictObject({ ok: z.literal(true), action_id: z.string() });
const Invocation = z.object({ id: z.string(), action: z.string(), status: z.string() });
const Shown = z.object({
  executions: z.array(z.object({ node: z.string(), status: z.string(), stdout: z.string().nullable() })),
});

test('F-4, F-53, F-88, C-28: the three actions of the queue reach an agent and a device that polls, side by side', async (t) => {
  const missing = ['curl', 'jq'].filter((name) => findCommand(name) === undefined);
  if (missing.length > 0) return t.skip(`needs ${missing.join(' and ')}`);
  const directory = temporaryDirectory(t);
  const noting = '#!/bin/sh\nprintf "%s\\n" "$@" >> "$0.asked"\n';
  const sign = writeHook(directory, 'sign', noting).file;
  const reboots = writeHook(directory, 'reboot-it', noting).file;
  const up = await startUpWith(t, {
    dataDir: join(directory, 'data'),
    env: { MUSTER_AGENT_MESSAGE_PROGRAM: sign, MUSTER_AGENT_REBOOT_COMMAND: reboots },
  });
  const client = createClient(up);
  const kiosk = await startKiosk(up, directory);
  const data = { message: 'Hello "from" $(DashFleet)!', title: 'Test' };

  for (const machine of [up.node, 'kiosk-1']) await queue(up, { machine_id: machine, action_type: 'message', data });
  await kiosk.cycle();
  for (const [node, stdout] of [
    [up.node, `${JSON.stringify({ message: `Message shown (${sign})`, shown_by: sign, uids: [] })}\n`],
    ['kiosk-1', 'Notification sent (notify-send)'],
  ] as const) {
    assert.deepEqual(await ended(client, 'message', node), { node, status: 'success', stdout });
  }
  assert.equal(readFileSync(`${sign}.asked`, 'utf8'), `${data.title}\n${data.message}\n`);

  for (const machine of [up.node, 'kiosk-1']) await queue(up, { machine_id: machine, action_type: 'restart' });
  await kiosk.cycle();
  assert.match(
    String((await ended(client, 'restart', up.node)).stdout),
    /^\{"message":"Agent restarted","away_ms":\d+\}/,
  );
  assert.equal((await ended(client, 'restart', 'kiosk-1')).stdout, 'Agent restarted');

  for (const machine of [up.node, 'kiosk-1']) await queue(up, { machine_id: machine, action_type: 'reboot' });
  await kiosk.cycle();
  assert.equal((await ended(client, 'reboot', 'kiosk-1')).stdout, 'Reboot scheduled (1 minute)');
  await until(() => existsSync(`${reboots}.asked`), { what: 'the order to reboot' });
  const [waiting] = (await invocations(client, 'reboot')).filter(({ status }) => status === 'executing');
  await client.call(z.unknown(), { method: 'POST', path: `/invocations/${waiting?.id}/cancel`, body: {} });
  assert.equal((await ended(client, 'reboot', up.node)).status, 'cancelled');
  assert.equal(readFileSync(`${reboots}.asked`, 'utf8'), 'schedule\n60\ncancel\n');
  assert.equal((await interrupt(up)).exitCode, 0);
});

/** As the seed's own procedure does it: with curl. */
async function queue({ url, token }: Up, body: unknown): Promise<string> {
  const { stdout } = await runCommand('curl', [
    ...['-sS', '-X', 'POST', `${url}/api/actions/queue`],
    ...['-H', `Authorization: Bearer ${token}`, '-H', 'Content-Type: application/json'],
    ...['-d', JSON.stringify(body)],
  ]);
  return Queued.parse(JSON.parse(stdout)).action_id;
}

function invocations(client: Client, action: string) {
  return client.list(Invocation, { path: '/invocations', query: { action } });
}

/** How this action ended on this node; the newest. */
function ended(client: Client, action: string, node: string) {
  return until(
    async () => {
      for (const { id } of await invocations(client, action)) {
        const { executions } = await client.call(Shown, { path: `/invocations/${id}` });
        const [found] = executions.filter((each) => each.node === node);
        if (found !== undefined && !['queued', 'sent', 'accepted'].includes(found.status)) return found;
      }
      return undefined;
    },
    { what: `the end of ${action} on ${node}`, deadlineMs: 30_000 },
  );
}

/** A device that polls, with a program for each type. */
async function startKiosk(up: Up, directory: string): Promise<{ cycle: () => Promise<void> }> {
  const { token } = z.object({ token: z.string() }).parse(await up.json('node-token', 'create', 'kiosk-1'));
  const [state, actions, tokenFile] = [join(directory, 'state'), join(directory, 'actions'), join(directory, 'token')];
  for (const made of [state, actions]) mkdirSync(made);
  writeFileSync(tokenFile, token, { mode: 0o600 });
  writeHook(actions, 'message', '#!/bin/sh\necho "Notification sent (notify-send)"\n');
  writeHook(actions, 'restart', '#!/bin/sh\necho "Agent restarted"\n');
  writeHook(actions, 'reboot', '#!/bin/sh\necho "Reboot scheduled (1 minute)"\n');
  const env = {
    ...{ PATH: process.env.PATH, MUSTER_URL: up.url, MUSTER_NODE: 'kiosk-1', MUSTER_STATE: state },
    ...{ MUSTER_TOKEN_FILE: tokenFile, MUSTER_ACTIONS: actions },
  };
  return {
    async cycle() {
      const { exitCode, stderr } = await endOf(spawn('sh', [CLIENT, '--once'], { env }));
      assert.equal(exitCode, 0, stderr);
    },
  };
}
