import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { discoverHooks } from '../../../../agent/actions/hooks/discover.js';
import { createHookAction } from '../../../../agent/actions/hooks/run-hook.js';
import { createProcessGroupIsolation } from '../../../../agent/actions/process-group.js';
import { HookSpec } from '../../../../protocol/messages/capabilities.js';
import { createLogger } from '../../../../runtime/logger.js';
import type { TestScope } from '../../../support/broker.js';
import { writeHook } from '../../../support/hooks.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';

const json = (value: unknown): string => JSON.stringify(value);

/** What is wrong with a sidecar that is no usable one, and what is said of it. */
const BROKEN: readonly (readonly [content: string | Buffer, says: RegExp])[] = [
  ['', /not JSON/],
  ['{', /not JSON/],
  ['{"sandbox":"none",}', /not JSON/],
  ['null', /expected object/],
  ['[]', /expected object/],
  ['"none"', /expected object/],
  [json({ description: 7 }), /description/],
  [json({ description: 'x'.repeat(1025) }), /description/],
  [json({ parameters: {} }), /parameters/],
  [json({ parameters: [{}] }), /parameters/],
  [json({ parameters: [{ name: 'a', type: 'object' }] }), /parameters/],
  [json({ parameters: Array.from({ length: 65 }, (_, at) => ({ name: `p${at}` })) }), /parameters/],
  [json({ timeout: 30 }), /timeout/],
  [json({ timeout: '-1s' }), /timeout/],
  [json({ timeout: '0s' }), /timeout/],
  [json({ sandbox: '' }), /sandbox/],
  [json({ sandbox: null }), /sandbox/],
  [json({ concurrency: 0 }), /concurrency/],
  [json({ concurrency: 1001 }), /concurrency/],
  [json({ concurrency: 1.5 }), /concurrency/],
  [json({ network: true }), /only with "sandbox": "bubblewrap"/],
  [json({ network: false }), /only with "sandbox": "bubblewrap"/],
  [json({ sandbox: 'none', writable: [] }), /only with "sandbox": "bubblewrap"/],
  [json({ sandbox: 'bubblewrap', network: 'yes' }), /network/],
  [json({ sandbox: 'bubblewrap', writable: '/srv' }), /writable/],
  ...['srv', '', '/', '//', '/srv/', '/srv/../etc', '/srv/.', '/srv//a', '/proc', '/dev/shm', '/sys/fs', '/a\0b'].map(
    (path) => [json({ sandbox: 'bubblewrap', writable: [path] }), /absolute path/] as const,
  ),
  [json({ sandbox: 'bubblewrap', writable: [`/${'x'.repeat(1024)}`] }), /writable/],
  [json({ sandbox: 'bubblewrap', writable: Array.from({ length: 17 }, (_, at) => `/srv/${at}`) }), /writable/],
  ['['.repeat(60_000), /not JSON/],
  [`${'['.repeat(30_000)}${']'.repeat(30_000)}`, /expected object/],
  [json('x'.repeat(70_000)), /too large/],
  [Buffer.from('{"description":"größe"}', 'utf16le'), /not JSON|not UTF-8/],
  [Buffer.from('\ufeff{"description":"größe"}', 'utf16le'), /not UTF-8/],
  [Buffer.from('{"description":"größe"}', 'latin1'), /not UTF-8/],
  [Buffer.alloc(64), /not JSON/],
];

test('P-74, S-P-57: a hook with a broken sidecar is listed without metadata, says why, and has a sandbox that keeps it from running', async (t) => {
  for (const [content, says] of BROKEN) {
    const { spec, faults } = await discoverWith(t, (file) => writeFileSync(file, content));

    assert.deepEqual([spec.description, spec.parameters, spec.timeout], ['', [], undefined]);
    assert.deepEqual([spec.sandbox, spec.network, spec.writable], ['unknown', undefined, undefined]);
    assert.match(spec.fault ?? '', says, String(content).slice(0, 60));
    assert.deepEqual(faults, [spec.fault]);
  }
});

test('P-74: a sidecar that is a link, a directory, a FIFO, a socket, a giant or others’ to write is not read', async (t) => {
  const kinds: [what: string, make: (file: string) => unknown, says: RegExp][] = [
    ['link', (file) => symlinkSync('/etc/hostname', file), /symbolic link/],
    ['broken link', (file) => symlinkSync('/no/such/file', file), /symbolic link/],
    ['directory', (file) => mkdirSync(file), /not regular/],
    ['fifo', (file) => assert.equal(spawnSync('mkfifo', [file]).status, 0), /not regular/],
    ['sparse giant', makeGiant, /too large/],
    ['writable by others', (file) => writeHook(join(file, '..'), 'hook.json', '{}', 0o666), /writable by others/],
  ];
  for (const [what, make, says] of kinds) {
    const { spec } = await discoverWith(t, make);

    assert.equal(spec.sandbox, 'unknown', what);
    assert.match(spec.fault ?? '', says, what);
  }
});

test('a sidecar may ask for a sandbox with network and writable paths, and bound how many run at once', async (t) => {
  const asked = { sandbox: 'bubblewrap', network: true, writable: ['/var/lib/app', '/srv/.x'], concurrency: 2 };

  const { spec, faults } = await discoverWith(t, (file) => writeFileSync(file, json(asked)));

  assert.deepEqual({ ...asked, ...spec }, spec);
  assert.deepEqual([spec.fault, faults], [undefined, []]);
});

test('the bound of a sidecar is that of the action', async (t) => {
  const bounded = (await discoverWith(t, (file) => writeFileSync(file, json({ concurrency: 2, timeout: '5s' })))).spec;
  const host = {
    ...{ nodeId: 'pump-7', envPrefix: 'MUSTER_', agentEnv: {}, dataDir: temporaryDirectory(t) },
    ...{ isolation: createProcessGroupIsolation(), log: createLogger('agent', { level: 'silent' }) },
  };

  const { concurrency, timeoutMs } = createHookAction({ spec: bounded, file: '/hook' }, host);

  assert.deepEqual([concurrency, timeoutMs], [2, 5000]);
});

test('a byte order mark is passed over, and of two keys of one name the last counts', async (t) => {
  const marked = await discoverWith(t, (file) => writeFileSync(file, '\ufeff{"description":"marked"}'));
  const doubled = await discoverWith(t, (file) => writeFileSync(file, '{"sandbox":"none","sandbox":"bubblewrap"}'));

  assert.deepEqual([marked.spec.description, marked.spec.fault], ['marked', undefined]);
  assert.equal(doubled.spec.sandbox, 'bubblewrap');
});

test('a key that nobody knows is told of, and the rest of the sidecar is used', async (t) => {
  const { spec } = await discoverWith(t, (file) => writeFileSync(file, '{"sandox":"bubblewrap","timeout":"5s"}'));

  assert.deepEqual([spec.timeout, spec.sandbox, spec.fault], ['5s', 'none', 'not used: "sandox"']);
});

test('the names of Object.prototype mean nothing in a sidecar', async (t) => {
  const { spec } = await discoverWith(t, (file) =>
    writeFileSync(file, '{"__proto__":{"sandbox":"none","network":true},"constructor":1,"timeout":"5s"}'),
  );

  assert.deepEqual([spec.timeout, spec.sandbox, spec.network], ['5s', 'none', undefined]);
  assert.equal(Reflect.get({}, 'network'), undefined);
});

/** A hook whose sidecar `make` puts in its place, as it is announced; and the faults that were found. */
async function discoverWith(
  t: TestScope,
  make: (file: string) => unknown,
): Promise<{ spec: HookSpec; faults: string[] }> {
  const directory = temporaryDirectory(t);
  writeHook(directory, 'hook', '#!/bin/sh\n');
  make(join(directory, 'hook.json'));
  const { hooks, faults } = await discoverHooks(directory);
  assert.equal(hooks.length, 1);
  const spec = hooks[0]?.spec;
  assert.ok(HookSpec.safeParse(spec).success, 'it may be announced');
  return { spec: HookSpec.parse({ ...spec }), faults: faults.map(({ fault }) => fault) };
}

function makeGiant(file: string): void {
  writeFileSync(file, '{}');
  truncateSync(file, 2 ** 40);
}
