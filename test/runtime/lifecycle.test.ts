import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { test } from 'node:test';
import { startChild } from '../support/child.js';
import { until } from '../support/until.js';

const CHILD = './lifecycle-child.ts';

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} stops the part and ends with 0`, async (t) => {
    const { child, message, ended } = startChild(t, CHILD, ['calm']);
    assert.deepEqual(await message(), { ready: { port: 1 } });

    child.kill(signal);

    const { code, stderr } = await ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /"msg":"stopping"[\s\S]*draining[\s\S]*"msg":"stopped"/);
  });
}

test('a part that leaves by itself is stopped, and ends as what was started in its place', async (t) => {
  const { code, stderr } = await startChild(t, CHILD, ['leaving']).ended;

  assert.equal(code, 3, stderr);
  assert.match(stderr, /"msg":"stopping"[\s\S]*draining[\s\S]*"msg":"stopped"[\s\S]*started again/);
});

test('a part that leaves under a supervisor ends with 0', async (t) => {
  const { code, stderr } = await startChild(t, CHILD, ['left-alone']).ended;

  assert.equal(code, 0, stderr);
  assert.match(stderr, /draining/);
});

test('a second signal skips the wait for running work', async (t) => {
  const { child, message, ended } = startChild(t, CHILD, ['busy']);
  await message();
  const draining = whenPrinted(child, 'draining');
  child.kill('SIGTERM');
  await draining;
  assert.equal(child.exitCode, null);

  child.kill('SIGTERM');

  assert.equal((await ended).code, 0);
});

for (const [mode, what, printed] of [
  ['patient-start', 'ends a start that gives up', /^starting\n$/],
  ['stubborn-start', 'stops a part that came up all the same', /"msg":"stopping"[\s\S]*draining[\s\S]*"msg":"stopped"/],
] as const) {
  test(`a signal while a part starts ${what}, with 0`, async (t) => {
    const { child, ended } = startChild(t, CHILD, [mode]);
    await whenPrinted(child, 'starting');

    child.kill('SIGTERM');

    const { code, stderr } = await ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, printed);
  });
}

test('a second signal ends a start that does not listen', async (t) => {
  const { child, ended } = startChild(t, CHILD, ['deaf-start']);
  await whenPrinted(child, 'starting');
  child.kill('SIGTERM');
  assert.equal(child.exitCode, null);

  child.kill('SIGINT');

  assert.equal((await ended).code, 0);
});

test('the end of the process that started it stops the part', async (t) => {
  const { child, message, ended } = startChild(t, CHILD, ['calm']);
  await message();

  child.disconnect();

  assert.equal((await ended).code, 0);
});

test('a foreseen failure ends with its exit code, a sentence and what to do', async (t) => {
  const { code, stderr } = await startChild(t, CHILD, ['foreseen']).ended;

  assert.equal(code, 78);
  assert.equal(
    stderr,
    'muster: The configuration has a fault:\n  - agent.x [config_invalid]\n  What to do: correct every line that is named.\n',
  );
});

for (const mode of ['bug-at-start', 'bug-later']) {
  test(`an unforeseen failure is logged as fatal and ends with 1 (${mode})`, async (t) => {
    const { code, stderr } = await startChild(t, CHILD, [mode]).ended;

    assert.equal(code, 1);
    assert.match(stderr, /"level":"fatal".*x is not a function.*"msg":"unforeseen failure"/);
  });
}

test('a stop that fails ends with 1', async (t) => {
  const { child, message, ended } = startChild(t, CHILD, ['bad-stop']);
  await message();

  child.kill('SIGTERM');

  assert.equal((await ended).code, 1);
});

for (const [mode, code, what] of [
  ['long-drain', 0, 'may take its limit beside the drain that the part asks for'],
  ['hanging-stop', 1, 'that takes longer than its limit ends the process'],
] as const) {
  test(`a stop ${what}, with ${code}`, async (t) => {
    const { child, message, ended } = startChild(t, CHILD, [mode]);
    await message();

    child.kill('SIGTERM');

    const { stderr, ...end } = await ended;
    assert.equal(end.code, code, stderr);
    assert.equal(stderr.includes('"msg":"stop takes too long"'), code === 1);
  });
}

/** Resolves once the part has printed this on stderr. */
async function whenPrinted(child: ChildProcess, text: string): Promise<void> {
  let stderr = '';
  const note = (bytes: Buffer): void => {
    stderr += bytes.toString();
  };
  child.stderr?.on('data', note);
  await until(() => stderr.includes(text), { what: `the part prints ${text}` });
  child.stderr?.off('data', note);
}
