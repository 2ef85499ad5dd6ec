import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ExecutionView, InvocationAnswer, NodeDetail } from '../../controller/http/schemas.js';
import { openConnection } from '../../controller/store/sqlite.js';
import { DATABASE_FILE } from '../../controller/store/store.js';
import type { TestScope } from '../support/broker.js';
import { writeHook } from '../support/hooks.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';
import { startUp, type Up } from '../support/up.js';

const PRINT_ENVIRONMENT = '#!/bin/sh\ncat /proc/$$/environ\n';
const DEADLINE_MS = 30_000;

test('a hook runs, is refused when it has changed, runs again once it is accepted, and tells of a file that was exchanged', async (t) => {
  const up = await startUp(t, temporaryDirectory(t));
  const first = writeHook(up.hooksDir, 'greet', '#!/bin/sh\necho one\n');
  await untilPresent(up, 'greet', first.checksum);
  assert.equal((await run(up, 'greet')).stdout, 'one\n');

  const second = writeHook(up.hooksDir, 'greet', '#!/bin/sh\necho two\n');
  await untilPresent(up, 'greet', second.checksum);
  const refused = await up.muster('run', 'greet', '--all', '--yes');
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /\[hook_changed\]/);

  const accepted = await up.muster('hooks', 'accept', 'greet', '--all', '--checksum', second.checksum);
  assert.equal(accepted.exitCode, 0, accepted.stderr);
  assert.equal((await run(up, 'greet')).stdout, 'two\n');

  const elsewhere = join(temporaryDirectory(t), 'greet');
  linkSync(second.file, elsewhere);
  writeFileSync(elsewhere, '#!/bin/sh\necho three\n'); // through another name, so that no event tells the agent
  const exchanged = await run(up, 'greet');
  assert.deepEqual([exchanged.status, exchanged.error_code, exchanged.stdout], ['error', 'integrity_check_failed', '']);
  assert.deepEqual([exchanged.violation?.path, exchanged.violation?.expected], [second.file, second.checksum]);
  const events = await auditEvents(t, up);
  assert.deepEqual(
    events.filter((event) => event.startsWith('hook_')),
    ['hook_pinned', 'hook_changed', 'hook_accepted', 'hook_integrity_violation'],
  );
});

test('S-P-48…S-P-51, P-43: parameters reach a hook as they were asked for, and nothing else does', async (t) => {
  const up = await startUp(t, temporaryDirectory(t));
  const { checksum } = writeHook(up.hooksDir, 'show', PRINT_ENVIRONMENT);
  await untilPresent(up, 'show', checksum);
  const hostile = {
    newlines: 'a\nb\r\nc\n',
    quotes: `'"\`\\`,
    shell: '$(id); rm -rf / & | > x `id` $HOME *',
    'my-param.name!': '-e --help',
    empty: '',
    unicode: 'größe 🌱 \u202e',
    large: 'x'.repeat(50_000),
    PATH: '/evil',
    number: -1.5e300,
    truth: false,
  };

  const { execution_id, stdout } = await run(up, 'show', hostile, { isWhole: true });
  const environment = new Map(stdout?.split('\0').flatMap((entry) => (entry === '' ? [] : [splitEntry(entry)])));
  const bare = await run(up, 'show');

  const parameters = [...environment].filter(([name]) => name.startsWith('MUSTER_PARAM_'));
  const expected = Object.entries(hostile).map(([name, value]) => [
    `MUSTER_PARAM_${name.toUpperCase().replaceAll(/[^A-Z0-9_]/g, '_')}`,
    String(value),
  ]);
  assert.deepEqual(parameters.sort(), expected.sort());
  for (const [name] of parameters) environment.delete(name);
  assert.deepEqual([...environment.keys()].sort(), ['HOME', 'MUSTER_EXECUTION_ID', 'MUSTER_NODE_ID', 'PATH']);
  assert.deepEqual(
    [environment.get('MUSTER_NODE_ID'), environment.get('MUSTER_EXECUTION_ID')],
    [up.node, execution_id],
  );
  assert.deepEqual([environment.get('PATH'), environment.get('HOME')], [process.env.PATH, process.env.HOME]);
  assert.doesNotMatch(bare.stdout ?? '', /PARAM/);

  for (const [what, bad] of [
    ['NUL', { a: 'x\0y' }],
    ['colliding names', { 'a-b': '1', a_b: '2' }],
    ['names that collide in upper case', { a: '1', A: '2' }],
  ] as const) {
    const { status, error_code, stdout: printed } = await run(up, 'show', bad);
    assert.deepEqual([status, error_code, printed], ['error', 'invalid_parameter', ''], what);
  }
  for (const [what, bad] of [
    ['200 kB', { a: 'x'.repeat(200_000) }],
    ['65 parameters', Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`p${at}`, '']))],
    ['a name with a newline', { 'a\nb': '' }],
    ['an object', { a: {} }],
  ] as const) {
    const { status, code } = await ask(up, 'show', bad);
    assert.deepEqual([status, code], [400, 'invalid_request'], what);
  }
});

test('P-74: the agent lives with whatever lies among its hooks, offers the good ones and says what is wrong', async (t) => {
  const up = await startUp(t, temporaryDirectory(t));
  const { hooksDir } = up;
  mkdirSync(join(hooksDir, 'directory'));
  mkdirSync(join(hooksDir, 'odd.json'));
  symlinkSync('/etc/passwd', join(hooksDir, 'link'));
  assert.equal(spawnSync('mkfifo', ['-m', '755', join(hooksDir, 'fifo')]).status, 0);
  for (let at = 0; at < 2000; at += 1) writeHook(hooksDir, `no hook ${at}`, '#!/bin/sh\n');
  writeHook(hooksDir, 'windows', '#!/bin/sh\r\necho\r\n');
  writeHook(hooksDir, 'lost', '#!/no/such/interpreter\n');
  writeHook(hooksDir, 'odd', '#!/bin/sh\n');
  const { checksum } = writeHook(hooksDir, 'well', '#!/bin/sh\necho well\n');

  await untilPresent(up, 'well', checksum);

  const { hook_checksums } = await node(up);
  assert.deepEqual(
    hook_checksums.map(({ name, fault }) => [name, fault]),
    [
      ['lost', null],
      ['odd', 'the sidecar cannot be used: not regular'],
      ['well', null],
      ['windows', 'its first line ends in CR LF: save it with LF line ends'],
    ],
  );
  const errors = [];
  for (const name of ['lost', 'odd', 'windows']) errors.push((await run(up, name)).error_code);
  assert.deepEqual(errors, ['start_failed', 'sandbox_unavailable', 'start_failed']);
  assert.equal((await run(up, 'well')).stdout, 'well\n');
});

function splitEntry(entry: string): [string, string] {
  const at = entry.indexOf('=');
  return [entry.slice(0, at), entry.slice(at + 1)];
}

/** Resolves when the controller knows this version of a hook. */
async function untilPresent(up: Up, name: string, checksum: string): Promise<void> {
  await until(
    async () => (await node(up)).hook_checksums.some((hook) => hook.name === name && hook.checksum === checksum),
    { what: `the hook ${name}`, deadlineMs: DEADLINE_MS },
  );
}

async function node(up: Up): Promise<NodeDetail> {
  return NodeDetail.parse(await (await call(up, `/nodes/${up.node}`)).json());
}

/** Runs a hook on the local node to its end. With `isWhole` the stdout is read apart, since the result holds 64 KiB. */
async function run(
  up: Up,
  action: string,
  parameters: Readonly<Record<string, unknown>> = {},
  { isWhole = false }: { isWhole?: boolean } = {},
): Promise<ExecutionView> {
  const response = await post(up, { action, target: { nodes: [up.node] }, parameters, confirm: true });
  const { invocation } = InvocationAnswer.parse(await response.json());
  const path = `/invocations/${invocation.id}/executions/${up.node}`;
  const execution = ExecutionView.parse(await (await call(up, path)).json());
  return isWhole ? { ...execution, stdout: await (await call(up, `${path}/output`)).text() } : execution;
}

/** What the controller answers to an ask that cannot be right. */
async function ask(
  up: Up,
  action: string,
  parameters: Readonly<Record<string, unknown>>,
): Promise<{ status: number; code: unknown }> {
  const response = await post(up, { action, target: { nodes: [up.node] }, parameters, confirm: true });
  const problem: unknown = await response.json();
  return { status: response.status, code: problem instanceof Object ? Reflect.get(problem, 'code') : undefined };
}

function post(up: Up, body: unknown): Promise<Response> {
  return call(up, '/invocations', { method: 'POST', body: JSON.stringify(body) });
}

function call({ url, token }: Up, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', prefer: 'wait=30' };
  return fetch(`${url}/api/v1${path}`, { ...init, headers, signal: AbortSignal.timeout(2 * DEADLINE_MS) });
}

async function auditEvents(t: TestScope, { dataDir }: Up): Promise<string[]> {
  const { queries, close } = openConnection(join(dataDir, 'controller', DATABASE_FILE));
  t.after(close);
  const rows = await queries.selectFrom('audit').select('event').orderBy('seq').execute();
  return rows.map(({ event }) => event);
}
