import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { ContainerDetails } from '../../../../agent/actions/containers/container-inspect.js';
import { ContainerAct } from '../../../../agent/actions/containers/verbs.js';
import { EXITED_0, EXITED_1 } from '../../../support/builtins.js';
import { codeOf, runContainerAction } from '../../../support/containers.js';
import { sendJson, startStandInEngine } from '../../../support/engines/stand-in.js';
import { until } from '../../../support/until.js';

test('D-15, D-18, D-19, D-20, D-23, S-D-12: each verb is one call by the whole id, with 10 s of grace, and nothing else changes anything', async (t) => {
  const engine = await startStandInEngine(t);
  const id = await engine.create({ name: 'web' });

  for (const verb of ['start', 'restart', 'stop']) {
    const run = await runContainerAction(engine.socket, `container_${verb}`, { container: 'web' });
    assert.deepEqual(run.end, EXITED_0, verb);
  }
  await runContainerAction(engine.socket, 'container_list');
  await runContainerAction(engine.socket, 'container_inspect', { container: 'web' });
  await runContainerAction(engine.socket, 'container_logs', { container: 'web' });

  const changing = engine.asked.filter((call) => !call.startsWith('GET '));
  assert.deepEqual(changing, [
    `POST /containers/${id}/start`,
    `POST /containers/${id}/restart?t=10`,
    `POST /containers/${id}/stop?t=10`,
  ]);
  assert.equal(engine.asked.filter((call) => call === `GET /containers/${id}/json`).length, 3);
});

test('the agent does not stop or restart the container that it runs in, and says which one that is', async (t) => {
  const engine = await startStandInEngine(t);
  const id = await engine.create({ name: 'muster-agent' });
  for (const ownIds of [[id], [id.slice(0, 12)]]) {
    const host = { ownIds };
    for (const verb of ['stop', 'restart']) {
      const run = await runContainerAction(engine.socket, `container_${verb}`, { container: 'muster-agent' }, host);
      assert.equal(codeOf(run), 'own_container', verb);
    }
    const { stdout } = await runContainerAction(engine.socket, 'container_inspect', { container: id }, host);
    assert.equal(ContainerDetails.parse(JSON.parse(stdout)).is_agent, true);
  }

  assert.deepEqual(
    engine.asked.filter((call) => call.startsWith('POST')),
    [],
  );
});

test('what the engine refuses is told in its words, with the state that there is', async (t) => {
  const engine = await startStandInEngine(t);
  await engine.create({ name: 'web' });
  const start = () => runContainerAction(engine.socket, 'container_start', { container: 'web' });

  engine.answer('POST', (_, response) =>
    sendJson(response, 500, { message: 'driver failed: port is already allocated\nsecond line' }),
  );
  const failed = await start();
  engine.answer('POST', (_, response) =>
    sendJson(response, 409, { cause: '', message: 'is paused, unpause \u001b[31mfirst', response: 409 }),
  );
  const conflict = await start();
  engine.answer('POST', (_, response) => sendJson(response, 404, { message: 'network front not found' }));
  const noNetwork = await start();

  assert.deepEqual(failed.end, {
    kind: 'error',
    code: 'engine_refused',
    message: 'The container engine refused: driver failed: port is already allocated (500).',
  });
  assert.equal(ContainerAct.parse(JSON.parse(failed.stdout)).after?.status, 'created');
  assert.match(
    conflict.end.kind === 'error' ? conflict.end.message : '',
    /: is paused, unpause \\x1b\[31mfirst \(409\)\.$/,
  );
  assert.deepEqual([codeOf(conflict), codeOf(noNetwork)], ['engine_refused', 'engine_refused']);
});

test('what the engine says it did and did not do is a failure, with the state that there is', async (t) => {
  const engine = await startStandInEngine(t);
  await engine.create({ name: 'web' });
  const run = (verb: string) => runContainerAction(engine.socket, `container_${verb}`, { container: 'web' });

  engine.answer('POST', (_, response) => response.writeHead(204).end());
  const started = await run('start');
  engine.answer('POST');
  await run('start');
  engine.answer('POST', (_, response) => response.writeHead(204).end());
  const stopped = await run('stop');
  const restarted = await run('restart');

  assert.deepEqual([started.end, started.stderr], [EXITED_1, 'web is created after the start\n']);
  assert.deepEqual([stopped.end, stopped.stderr], [EXITED_1, 'web is running after the stop\n']);
  assert.deepEqual([restarted.end, restarted.stderr], [EXITED_1, 'web is running after the restart\n']);
});

test('S-D-11: an engine that does not answer is engine_timeout, unless the container is as it was to be by then', async (t) => {
  const engine = await startStandInEngine(t);
  const id = await engine.create({ name: 'web' });
  const run = (verb: string) =>
    runContainerAction(engine.socket, `container_${verb}`, { container: 'web' }, { timeoutMs: 5_500 });

  engine.answer('POST', () => undefined);
  const hung = await run('start');
  engine.answer('POST', async () => {
    engine.answer('POST');
    await fetchOver(engine.socket, `/containers/${id}/start`);
  });
  const done = await run('start');

  assert.equal(codeOf(hung), 'engine_timeout');
  assert.equal(ContainerAct.parse(JSON.parse(hung.stdout)).after?.status, 'created');
  assert.deepEqual(done.end, EXITED_0);
  assert.deepEqual(ContainerAct.parse(JSON.parse(done.stdout)).changed, true);
});

test('a container that the engine removes when it ends is gone after a stop, and that is a success', async (t) => {
  const engine = await startStandInEngine(t);
  const id = await engine.create({ name: 'once' });
  await runContainerAction(engine.socket, 'container_start', { container: 'once' });
  engine.answer('POST', async (_, response) => {
    await engine.remove(id);
    response.writeHead(204).end();
  });

  const { end, stdout } = await runContainerAction(engine.socket, 'container_stop', { container: 'once' });

  assert.deepEqual([end, ContainerAct.parse(JSON.parse(stdout)).after], [EXITED_0, null]);
});

test('nothing is asked of the engine when the time of the request is over, and a cancel ends the wait for it', async (t) => {
  const engine = await startStandInEngine(t);
  await engine.create({ name: 'web' });
  const asked = (): number => engine.asked.filter((call) => call.startsWith('POST')).length;

  await runContainerAction(engine.socket, 'container_start', { container: 'web' }, { mayStart: () => false });
  assert.equal(asked(), 0);
  engine.answer('POST', () => undefined);
  const cancel = new AbortController();
  const running = runContainerAction(engine.socket, 'container_start', { container: 'web' }, { signal: cancel.signal });
  running.catch(() => undefined);
  await until(() => asked() === 1, { what: 'the engine is asked' });
  cancel.abort();

  await assert.rejects(running, { name: 'AbortError' });
});

async function fetchOver(socket: string, path: string): Promise<void> {
  await new Promise((resolve, reject) => {
    const asked = request({ socketPath: socket, path, method: 'POST', agent: false });
    asked.on('error', reject);
    asked.on('response', (answer) => answer.resume().on('end', resolve));
    asked.end();
  });
}

test('A-62: the look at a container that says more than an output holds is cut to JSON that can be read, and says so', async (t) => {
  const engine = await startStandInEngine(t);
  const env = Array.from({ length: 300 }, (_, at) => `V${at}=${'ä"'.repeat(200)}`);
  const labels = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`label${at}`, 'x'.repeat(100)]));
  await engine.create({ name: 'much', env, labels });
  const look = (maxOutputBytes: number) =>
    runContainerAction(engine.socket, 'container_inspect', { container: 'much' }, { maxOutputBytes });

  for (const maxOutputBytes of [1024, 4096, 20_000, 64 * 1024, 1024 * 1024]) {
    const { end, stdout, truncated } = await look(maxOutputBytes);
    assert.deepEqual([end, truncated], [EXITED_0, []], `${maxOutputBytes}`);
    const details = ContainerDetails.parse(JSON.parse(stdout));
    const shown = details.env.length + Object.keys(details.labels).length;
    assert.equal(details.left_out, 340 - shown, `${maxOutputBytes}`);
    assert.equal(details.env.length, maxOutputBytes > 64 * 1024 ? 200 : details.env.length);
  }
});

test('the look at a container of which nothing fits fails with a sentence, in place of half an answer', async (t) => {
  const engine = await startStandInEngine(t);
  await engine.create({ name: 'n'.repeat(127) });
  engine.answer('GET /containers', (_, response) => {
    const text = '\u0001'.repeat(1024);
    const state = { Status: 'exited', ExitCode: 1, Error: text };
    sendJson(response, 200, { Id: 'a'.repeat(64), Name: '/web', State: state, Config: { Image: text } });
  });

  const { end, stdout, stderr } = await runContainerAction(
    engine.socket,
    'container_inspect',
    { container: 'web' },
    { maxOutputBytes: 1024 },
  );

  assert.deepEqual([end, stdout], [EXITED_1, '']);
  assert.match(stderr, /^What there is to say of web does not fit into agent\.max_output_bytes/);
});
