import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { discoverHooks } from '../../agent/actions/hooks/discover.js';
import { hookEnvironment } from '../../agent/actions/hooks/environment.js';
import { readSidecar, Sidecar, UNKNOWN_SANDBOX } from '../../agent/actions/hooks/sidecar.js';
import { AgentConfig, MeshConfig } from '../../agent/config.js';
import { checkParameters } from '../../agent/executor/parameters.js';
import { MusterError } from '../../protocol/errors.js';
import { ParameterSpec, type ParameterValue } from '../../protocol/messages/parameters.js';
import { loadConfig } from '../../runtime/config.js';
import { fuzzed } from '../support/fuzz.js';
import { EXECUTION_ID, writeHook } from '../support/hooks.js';
import { mutate, mutations, splice, splices } from '../support/mutations.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const SIDECAR = {
  description: 'Restarts the pump',
  parameters: [{ name: 'target', type: 'ip', required: true, default: '::1', description: 'which' }],
  timeout: '30s',
  sandbox: 'bubblewrap',
};

const specs = fc.array(
  fc.record({
    name: fc.stringMatching(/^[a-z$"'\n]{1,8}$/),
    type: fc.constantFrom(...ParameterSpec.shape.type.unwrap().options),
    required: fc.boolean(),
    description: fc.constant(''),
  }),
  { maxLength: 5 },
);
const value: fc.Arbitrary<ParameterValue> = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '',
    'true',
    '1',
    '1e400',
    '-0',
    '::1',
    '10.0.0.1',
    '$(reboot)',
    "'; reboot #",
    'a\0b',
    'x'.repeat(60_000),
  ),
  fc.double(),
  fc.boolean(),
);
const parameters = fc.dictionary(
  fc.oneof(fc.stringMatching(/^[a-z$"'\n]{1,8}$/), fc.constantFrom('__proto__', 'constructor')),
  value,
);

test('S-P-57: whatever a sidecar holds, its hook is listed, and it runs in no lesser sandbox than was asked for', async (t) => {
  const directory = temporaryDirectory(t);
  const { file } = writeHook(directory, 'hook.sh', '#!/bin/sh\n');
  const contents = fc.oneof(
    mutations.map((changes) => Buffer.from(JSON.stringify(mutate(SIDECAR, changes)) ?? '')),
    splices.map((cuts) => splice(Buffer.from(JSON.stringify(SIDECAR)), cuts)),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  );

  await fuzzed(
    t,
    300,
    fc.asyncProperty(contents, async (content) => {
      writeHook(directory, 'hook.sh.json', content.toString('latin1'), 0o644);
      const { sidecar, fault } = await readSidecar(file);
      const { hooks } = await discoverHooks(directory);
      const [hook] = hooks;

      assert.ok(Sidecar.safeParse(sidecar).success);
      if (sidecar.sandbox === UNKNOWN_SANDBOX) assert.ok((fault ?? '').length > 0);
      assert.equal(hook?.spec.name, 'hook.sh');
      assert.equal(hook?.spec.sandbox, sidecar.sandbox);
    }),
  );
});

test('whatever parameters come, an action gets them in the types that it declares, or not at all', async (t) => {
  await fuzzed(
    t,
    2_000,
    fc.property(specs, parameters, (wanted, given) => {
      const checked = checkParameters(wanted, given);
      if (!checked.ok) return assert.ok(checked.message.length > 0);
      for (const { name, type, required } of wanted) {
        const got = checked.values.get(name);
        if (required) assert.ok(got !== undefined && got !== '');
        if (got === undefined || got === '') continue;
        if (type === 'integer') assert.ok(Number.isSafeInteger(got));
        if (type === 'number') assert.ok(Number.isFinite(got));
        if (type === 'boolean') assert.equal(typeof got, 'boolean');
        if (type === 'ip') assert.notEqual(isIP(String(got)), 0);
      }
    }),
  );
});

test('P-78: whatever parameters come, each is one variable of the environment with its own value, or the hook is refused', async (t) => {
  await fuzzed(
    t,
    2_000,
    fc.property(parameters, (given) => {
      const environment = hookEnvironment({
        prefix: 'MUSTER_',
        nodeId: 'pump',
        executionId: EXECUTION_ID,
        parameters: new Map(Object.entries(given)),
        agentEnv: { PATH: '/bin', HOME: '/root', SECRET: 'secret' },
      });
      if (environment.kind === 'invalid') return assert.ok(environment.message.length > 0);
      const { PATH, HOME, MUSTER_NODE_ID, MUSTER_EXECUTION_ID, ...rest } = environment.env;
      assert.deepEqual([PATH, HOME, MUSTER_NODE_ID, MUSTER_EXECUTION_ID], ['/bin', '/root', 'pump', EXECUTION_ID]);
      assert.deepEqual(Object.values(rest).sort(), Object.values(given).map(String).sort());
      for (const [name, text] of Object.entries(rest)) {
        assert.match(name, /^MUSTER_PARAM_[A-Z0-9_]*$/);
        assert.doesNotMatch(text, /\0/);
      }
    }),
  );
});

test('whatever the settings hold, they are taken or refused with config_invalid', async (t) => {
  const file = join(temporaryDirectory(t), 'muster.yaml');
  const names = Object.keys(AgentConfig.shape).map((key) => `MUSTER_AGENT_${key.toUpperCase()}`);
  const env = fc.dictionary(
    fc.constantFrom(...names),
    fc.oneof(fc.string(), fc.json(), fc.constantFrom('{', '[a', '&a *a', '0x', '~')),
    { maxKeys: 4 },
  );
  const yaml = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    mutations.map((changes) =>
      JSON.stringify(mutate({ agent: { enabled: true, services: ['a'] }, mesh: {} }, changes)),
    ),
  );

  await fuzzed(
    t,
    500,
    fc.property(env, yaml, (variables, content) => {
      writeHook(join(file, '..'), 'muster.yaml', content, 0o600);
      try {
        loadConfig({ agent: AgentConfig, mesh: MeshConfig }, { file, env: variables });
      } catch (error) {
        if (!(error instanceof MusterError)) throw error;
        assert.equal(error.code, 'config_invalid');
      }
    }),
  );
});
