import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hookEnvironment, parameterVariable } from '../../../../agent/actions/hooks/environment.js';
import type { ParameterValue } from '../../../../protocol/messages/parameters.js';

test('P-78, P-79, S-P-49: the examples of the parameter names', () => {
  const variables = ['target', 'region', 'my-param.name!', 'größe', '🌱'].map((name) =>
    parameterVariable('PLEXD_', name),
  );

  assert.deepEqual(variables, [
    'PLEXD_PARAM_TARGET',
    'PLEXD_PARAM_REGION',
    'PLEXD_PARAM_MY_PARAM_NAME_',
    'PLEXD_PARAM_GR__E',
    'PLEXD_PARAM__',
  ]);
});

test('P-78: a parameter variable holds only upper-case ASCII letters, digits and _', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      assert.match(parameterVariable('MUSTER_', name), /^MUSTER_PARAM_[A-Z0-9_]*$/);
    }),
  );
});

test('P-80, P-81: PATH and HOME are set even when the agent has none', () => {
  const built = environmentOf(new Map(), {});

  assert.equal(built.kind, 'environment');
  assert.deepEqual(Object.keys(built.kind === 'environment' ? built.env : {}), [
    'PATH',
    'HOME',
    'MUSTER_NODE_ID',
    'MUSTER_EXECUTION_ID',
  ]);
});

test('no parameter replaces a variable of the hook’s own', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.string()), (parameters) => {
      const built = environmentOf(new Map(Object.entries(parameters)), { PATH: '/bin', HOME: '/root' });
      if (built.kind === 'invalid') return;
      assert.deepEqual([built.env.PATH, built.env.HOME], ['/bin', '/root']);
      assert.deepEqual([built.env.MUSTER_NODE_ID, built.env.MUSTER_EXECUTION_ID], ['n', 'e']);
      assert.equal(Object.keys(built.env).length, 4 + Object.keys(parameters).length);
    }),
  );
});

function environmentOf(parameters: ReadonlyMap<string, ParameterValue>, agentEnv: Record<string, string>) {
  return hookEnvironment({ prefix: 'MUSTER_', nodeId: 'n', executionId: 'e', parameters, agentEnv });
}
