import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containersOf, hidesContainers, namedContainers } from '../../../controller/nodes/announced-containers.js';
import { Capabilities, type HookSpec } from '../../../protocol/messages/capabilities.js';
import { createSecrets, NO_MASK } from '../../../runtime/masking/mask.js';
import { maskOffers } from '../../../runtime/masking/offers.js';

const VALUE = 's3cr3t-hook-name';

test('promise 22: of hooks and built-ins those are left out that a registered value names, and the hooks are counted', () => {
  const parameters = [{ name: VALUE, type: 'string', required: true, description: '' }] as const;
  const offered = offering([
    hookNamed('deploy', { description: `with ${VALUE}` }),
    hookNamed(VALUE),
    hookNamed(`do-${VALUE}-now`),
    hookNamed('asks', { parameters: [...parameters] }),
  ]);
  const { value, leftOut } = maskOffers(maskOf(VALUE, 'gather_info'), offered);

  assert.equal(leftOut, 4);
  assert.deepEqual(
    value.hooks.map(({ name, description }) => [name, description]),
    [['deploy', 'with [redacted]']],
  );
  assert.deepEqual(value.builtin_actions, []);
  assert.deepEqual(value.limits, { max_concurrent: 5, hooks_left_out: 5 });
  assert.deepEqual(Capabilities.parse(value), value);
  assert.doesNotMatch(JSON.stringify(value), new RegExp(VALUE));
});

test('an announcement without a registered value stays the same object, and node and org stay whatever is registered', () => {
  const offered = offering([hookNamed('deploy')]);

  assert.equal(maskOffers(NO_MASK, offered).value, offered);
  assert.equal(maskOffers(maskOf(VALUE), offered).value, offered);
  const { value } = maskOffers(maskOf('pump-east-7', 'deploy-not'), { ...offered, node: 'pump-east-7' });
  assert.equal(value.node, 'pump-east-7');
});

test('containers that cannot be told once they are masked count as left out, so that they are protected', () => {
  const label = 'x'.repeat(60);
  const containers = [{ id: 'a'.repeat(64), [`${VALUE.slice(0, 8)}${label.slice(0, 56)}`]: 'x' }];
  const { value } = maskOffers(maskOf(VALUE.slice(0, 8)), { ...offering([]), containers });

  assert.deepEqual([value.containers, value.limits.containers_left_out], [[], 1]);
});

test('a container that is found or protected by what is masked counts as left out, so that it is protected', () => {
  const containerOf = (changes: Readonly<Record<string, unknown>>) => ({
    ...{ id: 'a'.repeat(64), name: 'database', image: 'db:1', state: 'running', labels: {} },
    ...changes,
  });
  const told = [containerOf({}), containerOf({ image: `registry/${VALUE}:1`, labels: { note: VALUE } })];
  const hidden = [
    containerOf({ name: VALUE, labels: { 'muster.protected': 'true' } }),
    containerOf({ id: VALUE }),
    containerOf({ labels: { [`${VALUE}.by`]: 'x' } }),
  ];
  const offered = { ...offering([]), containers: [...hidden, ...told], limits: { containers_left_out: 4 } };
  const { value } = maskOffers(maskOf(VALUE), offered);

  assert.deepEqual(
    value.containers.map(({ name, image }) => [name, image]),
    [
      ['database', 'db:1'],
      ['database', 'registry/[redacted]:1'],
    ],
  );
  assert.deepEqual(value.limits, { containers_left_out: 7 });
  const [named] = namedContainers([{ containers: containersOf(value), hidesContainers: hidesContainers(value) }], {
    container: VALUE,
  });
  assert.equal(named?.labels['muster.protected'], 'true');
});

function maskOf(...values: string[]) {
  const secrets = createSecrets();
  secrets.register('test', values);
  return secrets.mask;
}

function offering(hooks: HookSpec[]): Capabilities {
  return {
    ...{ v: 1, node: 'pump-7', org: 'default', hooks, containers: [], terminals: [] },
    builtin_actions: [{ name: 'gather_info', description: '', parameters: [] }],
    limits: { max_concurrent: 5, hooks_left_out: 2 },
  };
}

function hookNamed(name: string, changes: Partial<HookSpec> = {}): HookSpec {
  return {
    ...{ name, description: '', parameters: [], source: 'local', sandbox: 'none', checksum: 'a'.repeat(64) },
    ...changes,
  };
}
