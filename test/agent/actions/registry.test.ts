import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { Action } from '../../../agent/actions/action.js';
import { buildCapabilities, type CapabilitiesSource, describeBinary } from '../../../agent/actions/capabilities.js';
import type { Hook } from '../../../agent/actions/hooks/discover.js';
import { createRegistry, type Registry } from '../../../agent/actions/registry.js';
import { Capabilities } from '../../../protocol/messages/capabilities.js';
import { VERSION } from '../../../runtime/version.js';
import { writeHook } from '../../support/hooks.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

test('P-29, P-34, S-P-28: a built-in shadows a hook of its name, in look-ups and in what is announced', () => {
  const registry = registryOf('ping');
  registry.setHooks([hookNamed('ping'), hookNamed('deploy')]);

  assert.equal(registry.find('ping')?.description, 'built-in');
  assert.equal(registry.find('deploy')?.description, 'hook');
  assert.deepEqual(
    registry.describe().hooks.map(({ name }) => name),
    ['deploy'],
  );
});

test('names of JavaScript’s own objects are not actions', () => {
  const registry = registryOf('ping');

  for (const name of ['constructor', '__proto__', 'toString', '']) assert.equal(registry.find(name), undefined);
});

test('P-21: setting hooks replaces all of them', () => {
  const registry = registryOf();
  registry.setHooks([hookNamed('one'), hookNamed('two')]);

  registry.setHooks([hookNamed('three')]);

  assert.deepEqual(
    ['one', 'two', 'three'].map((name) => registry.find(name)?.name),
    [undefined, undefined, 'three'],
  );
});

test('P-20: a built-in is registered by its name, once', () => {
  const registry = registryOf();

  registry.register(builtinNamed('reboot'));

  assert.equal(registry.find('reboot')?.name, 'reboot');
  assert.throws(() => registry.register(builtinNamed('reboot')), /two built-ins/);
});

test('P-22, S-P-29: what is announced is a copy, of what was set as well', () => {
  const registry = registryOf('ping');
  const given = [hookNamed('deploy')];
  registry.setHooks(given);

  given.push(hookNamed('later'));
  given[0]?.spec.parameters.push({ name: 'x', type: 'string', required: true, description: '' });
  registry.describe().hooks.pop();
  registry.describe().builtins[0]?.parameters.push({ name: 'x', type: 'string', required: true, description: '' });

  assert.deepEqual(registry.describe(), {
    builtins: [{ name: 'ping', description: 'built-in', risk: 'read', parameters: [], timeout: '5s' }],
    hooks: [hookNamed('deploy').spec],
  });
});

test('P-93: the capabilities hold the binary, the built-ins, the hooks and the limits', async (t) => {
  const registry = registryOf('ping');
  registry.setHooks([hookNamed('deploy')]);
  const { file, checksum } = writeHook(temporaryDirectory(t), 'muster-agent', 'the program');
  const binary = await describeBinary(file);

  const capabilities = build(registry, { binary, maxBytes: 65_536 });

  assert.deepEqual(Capabilities.parse(capabilities), {
    v: 1,
    node: 'pump-7',
    org: 'default',
    binary: { name: 'muster-agent', version: VERSION, sha256: checksum },
    builtin_actions: registry.describe().builtins,
    hooks: [hookNamed('deploy').spec],
    containers: [],
    terminals: [],
    limits: { process_isolation: 'cgroup' },
  });
});

test('a program file that cannot be read has no SHA-256', async (t) => {
  const binary = await describeBinary(`${temporaryDirectory(t)}/missing`);

  assert.deepEqual(binary, { name: 'missing', version: VERSION, sha256: '' });
});

test('containers take a quarter of the packet at most, so that they push out no hooks, and what is left out is counted', () => {
  const registry = registryOf('ping');
  const hooks = Array.from({ length: 10 }, (_, index) => hookNamed(`hook-${index}`));
  registry.setHooks(hooks);
  const containers = Array.from({ length: 100 }, (_, index) => ({ id: `${index}`.padStart(64, '0'), name: 'web' }));

  const capabilities = build(registry, { maxBytes: 8192, containers });
  const few = build(registry, { maxBytes: 8192, containers: containers.slice(0, 3) });

  assert.ok(Buffer.byteLength(JSON.stringify(capabilities)) <= 8192);
  assert.ok(Buffer.byteLength(JSON.stringify(capabilities.containers)) <= 2048);
  assert.ok(capabilities.containers.length > 10);
  assert.equal(capabilities.hooks.length, 10);
  assert.equal(capabilities.limits.containers_left_out, 100 - capabilities.containers.length);
  assert.deepEqual([few.containers.length, few.limits.containers_left_out], [3, undefined]);
  const many = build(registry, { maxBytes: 1_000_000, containers: Array.from({ length: 600 }, () => ({ id: 'x' })) });
  assert.deepEqual([many.containers.length, many.limits.containers_left_out], [500, 100]);
  assert.equal(build(registry, { maxBytes: 8192, hasUnlisted: true }).limits.containers_left_out, 1);
});

test('hooks that do not fit the packet are left out, and their number is said', () => {
  const registry = registryOf('ping');
  const hooks = Array.from({ length: 200 }, (_, index) => hookNamed(`hook-${index}`));
  registry.setHooks(hooks);

  const capabilities = build(registry, { maxBytes: 8192 });

  assert.ok(Buffer.byteLength(JSON.stringify(capabilities)) <= 8192);
  assert.ok(capabilities.hooks.length > 20);
  assert.equal(capabilities.limits.hooks_left_out, 200 - capabilities.hooks.length);
});

function build(
  registry: Registry,
  {
    maxBytes,
    binary = { name: 'muster-agent', version: VERSION, sha256: '' },
    containers = [],
    hasUnlisted = false,
  }: Partial<Pick<CapabilitiesSource, 'binary' | 'containers' | 'hasUnlisted'>> & { maxBytes: number },
): Capabilities {
  const limits = { process_isolation: 'cgroup' };
  return buildCapabilities({
    node: 'pump-7',
    org: 'default',
    registry,
    binary,
    limits,
    containers,
    hasUnlisted,
    maxBytes,
  });
}

function registryOf(...names: string[]): Registry {
  return createRegistry({
    builtins: names.map(builtinNamed),
    toAction: ({ spec }) => ({ ...builtinNamed(spec.name), description: 'hook' }),
  });
}

function builtinNamed(name: string): Action {
  return {
    name,
    description: 'built-in',
    risk: 'read',
    parameters: [],
    timeoutMs: 5000,
    run: async () => ({ kind: 'exited', exitCode: 0 }),
  };
}

function hookNamed(name: string): Hook {
  const checksum = createHash('sha256').update(name).digest('hex');
  return {
    spec: { name, description: '', parameters: [], source: 'local', checksum, sandbox: 'none' },
    file: `/etc/muster/hooks/${name}`,
  };
}
