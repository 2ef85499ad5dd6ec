import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runInNewContext } from 'node:vm';
import { AgentConfig } from '../../agent/config.js';
import { BrokerConfig } from '../../broker/config.js';
import { ControllerConfig } from '../../controller/config.js';
import { loadConfig } from '../../runtime/config.js';
import { EXIT } from '../../runtime/exit-codes.js';
import { AGENT_ENVIRONMENT, AGENT_FLAGS } from '../bench/agent/flags.js';
import { findCommand, runCommand } from '../support/commands.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const DIRECTORY = fileURLToPath(new URL('../../deploy/systemd/', import.meta.url));
const PARTS = ['broker', 'controller', 'agent'] as const;
const ANALYZE = findCommand('systemd-analyze');
const NO_ANALYZE = ANALYZE === undefined ? 'systemd-analyze is not installed' : false;
const SYSUSERS = findCommand('systemd-sysusers');
const TMPFILES = findCommand('systemd-tmpfiles');
const NO_SNIPPETS = SYSUSERS === undefined || TMPFILES === undefined ? 'systemd is not installed' : false;

/** The least exposed tenth of a scale to 100; measured on systemd 252 the units get 1.5 of 10. */
const MOST_EXPOSURE = 20;

function unit(part: (typeof PARTS)[number]): string {
  return readFileSync(join(DIRECTORY, `muster-${part}.service`), 'utf8');
}

/** The values of a setting, in order; systemd lets some come more than once. */
function valuesOf(text: string, key: string): string[] {
  return text.split('\n').flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));
}

for (const part of PARTS) {
  test(`systemd has no complaint about the unit of the ${part}`, { skip: NO_ANALYZE }, async (t) => {
    const file = join(temporaryDirectory(t), `muster-${part}.service`);
    writeFileSync(file, unit(part).replace(/^ExecStart=(muster|node) /m, `ExecStart=${process.execPath} `));

    const { exitCode, stderr } = await runCommand(ANALYZE ?? '', ['verify', file]);

    assert.deepEqual({ exitCode, stderr }, { exitCode: 0, stderr: '' });
  });

  test(`the unit of the ${part} exposes little`, { skip: NO_ANALYZE }, async () => {
    const { exitCode, stdout } = await runCommand(ANALYZE ?? '', [
      'security',
      '--offline=true',
      `--threshold=${MOST_EXPOSURE}`,
      join(DIRECTORY, `muster-${part}.service`),
    ]);

    assert.equal(exitCode, 0, stdout);
  });

  test(`the ${part} runs as a user of its own, that sysusers.d makes`, () => {
    const [user] = valuesOf(unit(part), 'User');

    assert.equal(user, `muster-${part}`);
    assert.match(readFileSync(join(DIRECTORY, 'sysusers.conf'), 'utf8'), new RegExp(`^u ${user} `, 'm'));
  });

  test(`the ${part} is started again except when that cannot help`, () => {
    const [restart] = valuesOf(unit(part), 'Restart');
    const [never] = valuesOf(unit(part), 'RestartPreventExitStatus');

    // The broker may start before the controller has made the keys, and finds its configuration wanting until then.
    const hopeless: number[] = [EXIT.usage, EXIT.notAllowed, ...(part === 'broker' ? [] : [EXIT.configuration])];
    assert.equal(restart, 'always');
    assert.equal(never, hopeless.join(' '));
  });
}

test('systemd waits for the agent to be ready and for signs of life, and lets it end its actions itself', () => {
  const text = unit('agent');

  assert.deepEqual(valuesOf(text, 'Type'), ['notify']);
  assert.deepEqual(valuesOf(text, 'NotifyAccess'), ['all'], 'systemd-notify is a child');
  assert.deepEqual(valuesOf(text, 'WatchdogSec'), ['3min']);
  assert.deepEqual(valuesOf(text, 'KillMode'), ['mixed'], 'SIGTERM to all would end the actions at once');
});

test('the agent starts as one file, with the flags that the benchmark measures', () => {
  const [start = ''] = valuesOf(unit('agent'), 'ExecStart');

  const [flags] = start.split(' /');
  assert.equal(flags, `node ${AGENT_FLAGS.join(' ')}`);
  const environment = Object.entries(AGENT_ENVIRONMENT).map(([name, value]) => `${name}=${value}`);
  assert.deepEqual(valuesOf(unit('agent'), 'Environment'), environment);
});

test('the shipped configuration has no fault and agrees with the units', () => {
  const { broker, controller, agent } = loadConfig(
    { broker: BrokerConfig, controller: ControllerConfig, agent: AgentConfig },
    { file: join(DIRECTORY, 'muster.yaml'), env: {} },
  );

  const [bind] = valuesOf(unit('broker'), 'BindReadOnlyPaths');
  assert.equal(bind, `${controller.data_dir}/public:/run/muster-keys`);
  assert.equal(broker.root_file, '/run/muster-keys/root.jwk.json');
  assert.equal(broker.keys_file, '/run/muster-keys/keys.jws');
  assert.equal(controller.data_dir, `/var/lib/${valuesOf(unit('controller'), 'StateDirectory')[0]}`);
  assert.equal(agent.data_dir, `/var/lib/${valuesOf(unit('agent'), 'StateDirectory')[0]}`);
});

test('systemd accepts the users and directories', { skip: NO_SNIPPETS }, async (t) => {
  if (process.getuid?.() !== 0) return t.skip('giving directories to their users needs root');
  const root = temporaryDirectory(t);
  mkdirSync(join(root, 'etc'));

  const users = await runCommand(SYSUSERS ?? '', [`--root=${root}`, join(DIRECTORY, 'sysusers.conf')]);
  const files = await runCommand(TMPFILES ?? '', [`--root=${root}`, '--create', join(DIRECTORY, 'tmpfiles.conf')]);

  assert.equal(users.exitCode, 0, users.stderr);
  assert.equal(files.exitCode, 0, files.stderr);
  const made = readFileSync(join(root, 'etc/passwd'), 'utf8');
  for (const part of PARTS) assert.match(made, new RegExp(`^muster-${part}:`, 'm'));
});

test('the polkit rule lets the user of the agent restart the services that it names, and nothing else', () => {
  const rule = readFileSync(join(DIRECTORY, '50-muster-agent.rules'), 'utf8');
  const decide = (subject: string, id: string, details: Readonly<Record<string, string>>): unknown =>
    runInNewContext(
      `let decision; const polkit = { Result: { YES: 'yes', NOT_HANDLED: 'no' }, addRule: (f) => {
        decision = f({ id, lookup: (key) => details[key] }, { user });
      } };\n${rule}\ndecision`,
      { user: subject, id, details },
    );
  const units = 'org.freedesktop.systemd1.manage-units';
  const [user = ''] = valuesOf(unit('agent'), 'User');

  assert.equal(decide(user, units, { verb: 'restart', unit: 'nginx.service' }), 'yes');
  assert.equal(decide(user, units, { verb: 'stop', unit: 'nginx.service' }), 'no');
  assert.equal(decide(user, units, { verb: 'restart', unit: 'ssh.service' }), 'no');
  assert.equal(decide('nobody', units, { verb: 'restart', unit: 'nginx.service' }), 'no');
  assert.equal(decide(user, 'org.freedesktop.login1.reboot', { verb: 'restart', unit: 'nginx.service' }), 'no');
});
