import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ServiceRestart } from '../../../../agent/actions/builtins/service-restart.js';
import { ServiceStatus } from '../../../../agent/actions/builtins/service-status.js';
import type { ParameterValue } from '../../../../protocol/messages/parameters.js';
import type { TestScope } from '../../../support/broker.js';
import { type BuiltinRun, EXITED_0, EXITED_1, runBuiltin, withProgram } from '../../../support/builtins.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';

/**
 * Stands in for systemctl: `show` prints the file of each unit (one of a unit that activates is replaced by the one
 * after it), `restart` replaces the file by the next one and fails when that says so.
 */
const SYSTEMCTL = `#!/bin/sh
cd "$(dirname "$0")/units" || exit 9
echo "$*" >> ../asked
verb=$1
while [ "$1" != -- ]; do shift; done
shift
for unit in "$@"; do
  if [ "$verb" = restart ]; then
    mv "$unit.next" "$unit"
    ! grep -q ^ActiveState=failed "$unit" || { echo "Job for $unit failed." >&2; exit 1; }
    exit 0
  fi
  cat "$unit"
  echo
  if grep -q ^ActiveState=activating "$unit"; then mv "$unit.next" "$unit"; fi
done
`;

const RUNNING = {
  Id: 'nginx.service',
  Description: 'A web server',
  LoadState: 'loaded',
  ActiveState: 'active',
  SubState: 'running',
  UnitFileState: 'enabled',
  Result: 'success',
  ExecMainStatus: '0',
  MainPID: '42',
  NRestarts: '1',
  MemoryCurrent: '1048576',
  ActiveEnterTimestamp: 'Sat 2026-01-31 12:00:00 UTC',
  InvocationID: 'one',
};
const RESTARTED = { ...RUNNING, MainPID: '43', InvocationID: 'two' };
const FAILED = {
  ...RUNNING,
  ActiveState: 'failed',
  SubState: 'failed',
  Result: 'exit-code',
  ExecMainStatus: '3',
  MainPID: '0',
  InvocationID: 'two',
};

type Units = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Runs a built-in on a node whose systemd has these units; `services` is what its settings list. */
async function runWith(
  t: TestScope,
  {
    action,
    parameters = {},
    services = ['nginx'],
    units = {},
  }: { action: string; parameters?: Record<string, ParameterValue>; services?: string[]; units?: Units },
): Promise<BuiltinRun & { asked: string[] }> {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'units'));
  for (const [name, properties] of Object.entries(units)) {
    const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`);
    writeFileSync(join(directory, 'units', name), lines.join(''));
  }
  writeFileSync(join(directory, 'asked'), '');
  const path = withProgram(directory, 'systemctl', SYSTEMCTL);
  const run = await runBuiltin(action, parameters, { path, settings: { services } });
  return { ...run, asked: readFileSync(join(directory, 'asked'), 'utf8').split('\n').filter(Boolean) };
}

test('service_status tells what systemd says of each listed service, with nulls for what it does not say', async (t) => {
  const absent = {
    Id: 'absent.service',
    LoadState: 'not-found',
    ActiveState: 'inactive',
    SubState: 'dead',
    MemoryCurrent: '18446744073709551615',
    MainPID: '0',
    ActiveEnterTimestamp: '',
  };
  const { end, stdout } = await runWith(t, {
    action: 'service_status',
    services: ['nginx', 'absent.service'],
    units: { 'nginx.service': RUNNING, 'absent.service': absent },
  });

  assert.deepEqual(end, EXITED_0);
  assert.deepEqual(ServiceStatus.parse(JSON.parse(stdout)).services, [
    {
      service: 'nginx.service',
      description: 'A web server',
      load_state: 'loaded',
      active_state: 'active',
      sub_state: 'running',
      enabled: 'enabled',
      result: 'success',
      exit_code: null,
      main_pid: 42,
      restarts: 1,
      memory_bytes: 1_048_576,
      active_since: '2026-01-31T12:00:00Z',
    },
    {
      service: 'absent.service',
      description: '',
      load_state: 'not-found',
      active_state: 'inactive',
      sub_state: 'dead',
      enabled: null,
      result: null,
      exit_code: null,
      main_pid: null,
      restarts: null,
      memory_bytes: null,
      active_since: null,
    },
  ]);
});

test('service_restart tells the state before and after', async (t) => {
  const { end, stdout, asked } = await runWith(t, {
    action: 'service_restart',
    parameters: { service: 'nginx' },
    units: { 'nginx.service': RUNNING, 'nginx.service.next': RESTARTED },
  });

  const { service, restarted, before, after } = ServiceRestart.parse(JSON.parse(stdout));
  assert.deepEqual(end, EXITED_0);
  assert.deepEqual([service, restarted, before.main_pid, after.main_pid], ['nginx.service', true, 42, 43]);
  assert.deepEqual(
    asked.filter((line) => line.startsWith('restart')),
    ['restart --no-ask-password -- nginx.service'],
  );
});

test('a service that does not come back is a failed restart with the words of systemctl', async (t) => {
  const { end, stdout, stderr } = await runWith(t, {
    action: 'service_restart',
    parameters: { service: 'nginx' },
    units: { 'nginx.service': RUNNING, 'nginx.service.next': FAILED },
  });

  const { restarted, after } = ServiceRestart.parse(JSON.parse(stdout));
  assert.deepEqual(end, EXITED_1);
  assert.equal(stderr, 'Job for nginx.service failed\n');
  assert.deepEqual([restarted, after.active_state, after.exit_code], [false, 'failed', 3]);
});

test('service_restart waits until a service that activates has settled', async (t) => {
  const activating = { ...RESTARTED, ActiveState: 'activating', SubState: 'auto-restart' };
  const { end, stdout } = await runWith(t, {
    action: 'service_restart',
    parameters: { service: 'nginx' },
    units: { 'nginx.service': activating, 'nginx.service.next': RESTARTED },
  });

  assert.equal(ServiceRestart.parse(JSON.parse(stdout)).after.active_state, 'active');
  assert.deepEqual(end, EXITED_1, 'nothing was started anew: the same invocation as before');
});

test('a unit that is not loaded is not restarted', async (t) => {
  const { end, stderr, asked } = await runWith(t, {
    action: 'service_restart',
    parameters: { service: 'nginx' },
    units: { 'nginx.service': { LoadState: 'masked', ActiveState: 'inactive' } },
  });

  assert.deepEqual([end, stderr], [EXITED_1, 'nginx.service is masked, so it was not restarted\n']);
  assert.equal(asked.length, 1);
});

test('what agent.services does not list is not asked about, however it is spelled', async (t) => {
  for (const service of ['sshd', '*', 'nginx*', '--help', 'nginx.socket', '../nginx', 'nginx sshd', '']) {
    for (const action of ['service_restart', ...(service === '' ? [] : ['service_status'])]) {
      const { end, asked } = await runWith(t, { action, parameters: { service } });

      assert.equal(end.kind === 'error' ? end.code : undefined, 'not_allowed_on_node', `${action} ${service}`);
      assert.deepEqual(asked, []);
    }
  }
});

test('without settings no service is shown or restarted, and the answer names the setting', async () => {
  for (const [action, what] of [
    ['service_status', 'any service'],
    ['service_restart', 'the service nginx'],
  ] as const) {
    const { end } = await runBuiltin(action, action === 'service_status' ? {} : { service: 'nginx' });

    assert.deepEqual(end, {
      kind: 'error',
      code: 'not_allowed_on_node',
      message: `agent.services of this node does not list ${what}. Who owns the node can add it there.`,
    });
  }
});

test('a node without systemd is not_supported_on_node', async (t) => {
  const directory = temporaryDirectory(t);
  const settings = { services: ['nginx'] };
  const missing = await runBuiltin('service_status', {}, { path: directory, settings });
  const path = withProgram(
    directory,
    'systemctl',
    '#!/bin/sh\necho "System has not been booted with systemd." >&2\nexit 1\n',
  );
  const idle = await runBuiltin('service_restart', { service: 'nginx' }, { path, settings });

  assert.deepEqual(missing.end, {
    kind: 'error',
    code: 'not_supported_on_node',
    message: 'systemctl does not work on this node: it could not be started (ENOENT).',
  });
  assert.deepEqual(idle.end, {
    kind: 'error',
    code: 'not_supported_on_node',
    message: 'systemctl does not work on this node: System has not been booted with systemd.',
  });
});
