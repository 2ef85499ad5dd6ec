import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { ContainerDetails } from '../../../agent/actions/containers/container-inspect.js';
import { ContainerList } from '../../../agent/actions/containers/container-list.js';
import { createEngine } from '../../../agent/actions/containers/engine.js';
import { ContainerAct } from '../../../agent/actions/containers/verbs.js';
import { startContainerWatch } from '../../../agent/actions/containers/watch.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { EXITED_0, EXITED_1 } from '../builtins.js';
import { codeOf, runContainerAction } from '../containers.js';
import { until } from '../until.js';
import type { EngineTarget } from './target.js';

/** Of which engine it is said: its name, and how to start it; a sentence instead of it says why it is not there. */
export type ContractOptions = Readonly<{ name: string; start: () => Promise<EngineTarget | string> }>;

/** What the container actions do with an engine, whichever it is. Every target has to pass the same tests. */
export function testEngineContract({ name, start }: ContractOptions): void {
  describe(name, { concurrency: 4 }, () => {
    let started: Promise<EngineTarget | string> | undefined;
    after(async () => {
      const engine = await started;
      if (typeof engine === 'object') await engine.stop();
    });
    testEveryTarget((title, check) => {
      test(`${name}: ${title}`, async (t) => {
        started ??= start();
        const engine = await started;
        if (typeof engine === 'string') return t.skip(engine);
        await check(engine);
      });
    });
  });
}

function testEveryTarget(on: (title: string, check: (engine: EngineTarget) => Promise<void>) => void): void {
  on('start, stop and restart do what they say, and tell the state before and after', async (engine) => {
    const id = await engine.create({ name: 'verbs' });
    const act = (verb: string) => runVerb(engine, verb, 'verbs');

    const first = await act('start');
    assert.deepEqual([first.changed, first.before.status, first.after?.status], [true, 'created', 'running']);
    assert.equal(first.container, id);
    const again = await act('start');
    assert.deepEqual([again.changed, again.before, again.after], [false, first.after, first.after]);
    const restarted = await act('restart');
    assert.deepEqual([restarted.changed, restarted.after?.status], [true, 'running']);
    assert.notEqual(restarted.after?.started_at, first.after?.started_at);
    const stopped = await act('stop');
    assert.deepEqual([stopped.changed, stopped.after?.status, stopped.after?.exit_code], [true, 'exited', 0]);
    assert.equal((await act('stop')).changed, false);
    assert.equal((await act('restart')).after?.status, 'running');
    await act('stop');
  });

  on('a container that does not end when it is told to is killed after the grace', async (engine) => {
    await engine.create({ name: 'stubborn', isStubborn: true, says: [{ stream: 'stdout', text: 'ready\n' }] });
    await runVerb(engine, 'start', 'stubborn');
    const logs = () => runContainerAction(engine.socket, 'container_logs', { container: 'stubborn' });
    await until(async () => (await logs()).stdout === 'ready\n', { what: 'it does not listen any more' });

    const { after: killed } = await runVerb(engine, 'stop', 'stubborn');

    assert.deepEqual([killed?.status, killed?.exit_code], ['exited', 137]);
  });

  on('a container that ends at once is a start that failed, unless it has ended well', async (engine) => {
    await engine.create({ name: 'fails', endsWith: 3 });
    await engine.create({ name: 'ends', endsWith: 0 });

    // A real engine may show it while it still runs, which is a start that has succeeded.
    const failing = await until(
      async () => {
        const run = await runContainerAction(engine.socket, 'container_start', { container: 'fails' });
        return run.end.kind === 'exited' && run.end.exitCode === 1 ? run : undefined;
      },
      { what: 'a start that is seen to fail', deadlineMs: 20_000 },
    );
    assert.deepEqual(failing.end, EXITED_1);
    assert.equal(failing.stderr, 'fails is exited (exit code 3) after the start\n');
    const ending = await runContainerAction(engine.socket, 'container_start', { container: 'ends' });
    assert.deepEqual(ending.end, EXITED_0);
  });

  on('the list and the look at one show what it is made of, and no secret of it', async (engine) => {
    const env = ['LEVEL=debug', 'DB_PASSWORD=hunter2', 'DB_URL=postgres://app:hunter2@db/app'];
    const labels = { site: 'north', 'app.token': 'hunter2' };
    const id = await engine.create({ name: 'shown', env, labels });

    const listed = await runContainerAction(engine.socket, 'container_list');
    const { containers } = ContainerList.parse(JSON.parse(listed.stdout));
    const shown = containers.find((each) => each.id === id);
    assert.deepEqual([shown?.name, shown?.state], ['shown', 'created']);
    assert.match(shown?.image ?? '', /bb:latest$/);
    assert.deepEqual([shown?.labels.site, shown?.labels['app.token']], ['north', '[redacted]']);
    const running = await runContainerAction(engine.socket, 'container_list', { all: false });
    assert.ok(!running.stdout.includes(id));

    const inspected = await runContainerAction(engine.socket, 'container_inspect', { container: id });
    const details = ContainerDetails.parse(JSON.parse(inspected.stdout));
    const wanted = ['LEVEL=debug', 'DB_PASSWORD=[redacted]', 'DB_URL=postgres://app:[redacted]@db/app'];
    assert.deepEqual(
      wanted.filter((each) => !details.env.includes(each)),
      [],
    );
    assert.deepEqual([details.id, details.name, details.state.status, details.tty], [id, 'shown', 'created', false]);
    assert.doesNotMatch(listed.stdout + inspected.stdout, /hunter2/);
  });

  on(
    'the log comes on the streams that it was written to, the newest lines of it, and raw from a terminal',
    async (engine) => {
      const says = [
        { stream: 'stdout', text: 'one\n' },
        { stream: 'stderr', text: 'two\n' },
        { stream: 'stdout', text: 'three\n' },
      ] as const;
      await engine.create({ name: 'says', says });
      await engine.create({ name: 'terminal', says: [{ stream: 'stdout', text: 'raw\n' }], tty: true });
      await runVerb(engine, 'start', 'says');
      await runVerb(engine, 'start', 'terminal');
      const logs = (container: string, more = {}) =>
        runContainerAction(engine.socket, 'container_logs', { container, ...more });

      const whole = await until(
        async () => {
          const run = await logs('says');
          return run.stdout === 'one\nthree\n' ? run : undefined;
        },
        { what: 'all of the log' },
      );
      assert.deepEqual([whole.end, whole.stderr], [EXITED_0, 'two\n']);
      assert.deepEqual((await logs('says', { lines: 1 })).stdout, 'three\n');
      assert.equal((await logs('says', { since: '1h' })).stdout, 'one\nthree\n');
      assert.equal((await logs('says', { since: new Date(Date.now() + 60_000).toISOString() })).stdout, '');
      assert.match((await logs('says', { lines: 1, timestamps: true })).stdout, /^\d{4}-\d\d-\d\dT\S+ three\n$/);
      await until(async () => /^raw\r?\n$/.test((await logs('terminal')).stdout), { what: 'the raw log' });
      const followed = await logs('says', { follow: '300ms' });
      assert.deepEqual([followed.end, followed.stdout, followed.stderr], [EXITED_0, 'one\nthree\n', 'two\n']);
    },
  );

  on('what is no container of the node is not found, by whatever name', async (engine) => {
    const id = await engine.create({ name: 'found', labels: { owner: 'someone' } });
    const look = async (container: string): Promise<string | undefined> =>
      codeOf(await runContainerAction(engine.socket, 'container_inspect', { container }));

    for (const container of [id, id.slice(0, 12), 'found']) assert.equal(await look(container), undefined, container);
    for (const container of ['absent', id.slice(0, 11), '0'.repeat(64), 'someone']) {
      assert.equal(await look(container), 'container_not_found', container);
    }
    const bad = [
      '../found',
      'found/../found',
      'found?all=1',
      '%2e%2e',
      'found#',
      '-f',
      '',
      'x'.repeat(300),
      'owner=someone',
    ];
    for (const container of bad) assert.equal(await look(container), 'invalid_parameter', container);
  });

  on('what becomes of the containers is heard of', async (engine) => {
    let seen = new Map<string, string>();
    const watch = startContainerWatch({
      engine: createEngine(() => engine.socket),
      compare(listed) {
        seen = new Map(listed.map(({ Id, State }) => [Id, State]));
        return 'nothing';
      },
      tell: () => undefined,
      ...{ clock: SYSTEM_CLOCK, random: Math.random, log: createLogger('agent', { level: 'silent' }) },
    });
    try {
      await watch.looked;
      const id = await engine.create({ name: 'watched' });
      await until(() => seen.get(id) === 'created', { what: 'it is made' });
      await runVerb(engine, 'start', 'watched');
      await until(() => seen.get(id) === 'running', { what: 'it runs', deadlineMs: 15_000 });
      await engine.remove(id);
      await until(() => !seen.has(id), { what: 'it is gone', deadlineMs: 20_000 });
    } finally {
      await watch.stop();
    }
  });
}

async function runVerb({ socket }: EngineTarget, verb: string, container: string): Promise<ContainerAct> {
  const run = await runContainerAction(socket, `container_${verb}`, { container });
  assert.deepEqual(run.end, EXITED_0, `${verb}: ${JSON.stringify(run.end)} ${run.stderr}`);
  return ContainerAct.parse(JSON.parse(run.stdout));
}
