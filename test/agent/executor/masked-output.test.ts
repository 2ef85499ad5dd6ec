import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSecrets } from '../../../runtime/masking/mask.js';
import { acting, createTestExecutor, idOf, receive } from '../../support/executor.js';

const VALUE = 's3cr3t-of-the-node';
const ENCODED = Buffer.from(`user:${VALUE}`).toString('base64');

function secrets() {
  const made = createSecrets();
  made.register('test', [VALUE]);
  return made;
}

test('promise 22: what an action prints is masked before it is journaled, counted or published', async (t) => {
  const action = acting('leak', async ({ output }) => {
    for (const character of `<${VALUE}>`) output.write('stdout', character);
    output.write('stderr', Buffer.from(`authorization: Basic ${ENCODED.slice(0, 12)}`));
    output.write('stderr', Buffer.from(`${ENCODED.slice(12)}\n${VALUE.slice(0, 5)}`));
    return { kind: 'error', code: 'internal', message: `it could not log in with ${VALUE}` };
  });
  const made = await createTestExecutor(t, { actions: [action], secrets: secrets() });

  const received = receive({ action: 'leak', stream: true });
  await made.executor.execute(received);
  const result = await made.resultOf(idOf(received));

  assert.equal(result.stdout, '<[redacted]>');
  assert.equal(result.stdout_bytes, '<[redacted]>'.length);
  assert.match(result.stderr, /^authorization: Basic \S*\[redacted\]\S*\ns3cr3$/);
  assert.equal(result.error, 'it could not log in with [redacted]');
  const said = JSON.stringify([made.told, made.output, made.logs]);
  for (const part of [VALUE, ENCODED.slice(8, 20)]) assert.doesNotMatch(said, new RegExp(part));
});

test('promise 22: limits count what is left of the output, and a limit cuts no value in two', async (t) => {
  const action = acting('leak', async ({ output }) => {
    output.write('stdout', `${'x'.repeat(1010)}${VALUE}${VALUE}`);
    return { kind: 'exited', exitCode: 0 };
  });
  const limits = { maxOutputBytes: 1024 };
  const made = await createTestExecutor(t, { actions: [action], secrets: secrets(), limits });

  const received = receive({ action: 'leak' });
  await made.executor.execute(received);
  const result = await made.resultOf(idOf(received));

  assert.equal(result.stdout, `${'x'.repeat(1010)}[redacted][red`);
  assert.equal(result.stdout_truncated, true);
});

test('promise 22: a value that a person on the node typed is masked in what the controller is told', async (t) => {
  const action = acting('quiet', async () => ({ kind: 'exited', exitCode: 0 }), {
    parameters: [{ name: 'text', type: 'string', required: true, description: '' }],
  });
  const made = await createTestExecutor(t, { actions: [action], secrets: secrets() });

  const triggered_by = { type: 'local', id: 'ann', reason: `since ${VALUE}` };
  const asked = receive({ action: 'quiet', parameters: { text: `is ${VALUE}` }, triggered_by });
  const received = { ...asked, isLocal: true } as const;
  await made.executor.execute(received);
  const result = await made.resultOf(idOf(received));

  assert.deepEqual(result.parameters, { text: 'is [redacted]' });
  assert.deepEqual(result.triggered_by, { ...triggered_by, reason: 'since [redacted]' });
});
