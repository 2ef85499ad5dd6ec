import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as afterMs } from 'node:timers/promises';
import fc from 'fast-check';
import type { Journal } from '../../../agent/journal/contract.js';
import { MusterError } from '../../../protocol/errors.js';
import { SYSTEM_CLOCK, toTime } from '../../../runtime/clock.js';
import { acting, createTestExecutor, idOf, receive, standingNow } from '../../support/executor.js';
import { openTestJournal, withOwn } from '../../support/journal.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const RUNS = 20;
const HOUR_MS = 3_600_000;
const MAX_CONCURRENT = 3;

/** What is asked for: for one node and for all, of an action that may run often and of one that runs alone. */
const ASKED = [
  { action: 'echo' },
  { action: 'echo' },
  { action: 'alone' },
  { action: 'alone' },
  { action: 'echo', spread: '4ms' },
  { action: 'alone', spread: '4ms' },
];

/** What a broker, an operator, a disk and a power switch may do, in any order and as often as they like. */
const step = fc.record({
  do: fc.oneof(
    { weight: 8, arbitrary: fc.constant('deliver' as const) },
    { weight: 5, arbitrary: fc.constantFrom('cancel', 'receipt', 'end', 'pause', 'wait', 'wait') },
    { weight: 2, arbitrary: fc.constantFrom('crash', 'stop', 'disk full', 'disk has room') },
    { weight: 1, arbitrary: fc.constant('time passes' as const) },
  ),
  which: fc.nat({ max: ASKED.length - 1 }),
});

test('whatever is lost, repeated, reordered, cancelled, stopped or full: at most one start, in time, and one outcome', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }), async (steps) => {
      const world = createWorld(temporaryDirectory(t));
      let agent = await startAgent(world);
      for (const { do: what, which } of steps) {
        const received = world.requests[which];
        assert.ok(received);
        if (what === 'crash' || what === 'stop') {
          if (what === 'stop') world.isFull = false; // else it would wait for the disk, as long as it may
          await agent[what]();
          agent = await startAgent(world);
        } else if (what === 'deliver') void agent.executor.execute(received);
        else if (what === 'cancel') void agent.executor.cancel(cancelOf(idOf(received))).catch(() => undefined);
        else if (what === 'receipt') void agent.journal.receipt([idOf(received)]);
        else if (what === 'end') world.endAll();
        else if (what === 'disk full' || what === 'disk has room') world.isFull = what === 'disk full';
        else if (what === 'time passes') world.laterMs += HOUR_MS / 2;
        else if (what === 'wait') await afterMs(3);
        else await new Promise((resolve) => setImmediate(resolve));
      }
      world.isFull = false;
      await agent.stop(); // tries at once what the disk refused; what only waited is taken up by the next agent
      agent = await startAgent(world);
      await until(() => world.endAll() && agent.executor.running().length === 0, { what: 'quiet' });
      await agent.stop();
      await world.check();
    }),
    { numRuns: RUNS },
  );
});

type World = ReturnType<typeof createWorld>;

function createWorld(directory: string) {
  const roster_at = toTime(SYSTEM_CLOCK.nowMs());
  const requests = ASKED.map((ask) => receive('spread' in ask ? { ...ask, target: { fleet: true }, roster_at } : ask));
  const starts = new Map<string, number>();
  const results = new Map<string, Set<string>>();
  const accepted = new Set<string>();
  const faults: string[] = [];
  const ends = new Map<() => void, string>();
  const world = {
    ...{ directory, requests, results, accepted, ends, isFull: false, laterMs: 0 },
    nowMs: () => SYSTEM_CLOCK.nowMs() + world.laterMs,
    started(id: string, action: string) {
      starts.set(id, (starts.get(id) ?? 0) + 1);
      const request = requests.find((each) => idOf(each) === id)?.request;
      if (world.nowMs() >= Date.parse(request?.expires_at ?? '')) faults.push(`${id} started after its time`);
      const active = [...ends.values()];
      if (active.length >= MAX_CONCURRENT) faults.push('more at once than max_concurrent');
      if (action === 'alone' && active.includes('alone')) faults.push('more of one action than its concurrency');
    },
    endAll() {
      for (const end of [...ends.keys()]) end();
      return true;
    },
    async check() {
      const journal = await openTestJournal({ after: () => undefined }, directory);
      for (const id of requests.map(idOf)) {
        if ((starts.get(id) ?? 0) > 1) faults.push(`${id} started more than once`);
        if ((results.get(id)?.size ?? 0) > 1) faults.push(`${id} has two different results`);
        const entry = journal.find(id);
        if (accepted.has(id) && entry?.state !== 'finished') faults.push(`${id} was accepted and has no outcome`);
        const { status, launched } = JSON.parse(journal.resultOf(id)?.toString() ?? '{}');
        if (launched === 'no' && starts.has(id)) faults.push(`${id} ran, and says that it did not`);
        if (status === 'success' && !starts.has(id)) faults.push(`${id} did not run, and says that it did`);
      }
      await journal.close();
      assert.deepEqual(faults, []);
    },
  };
  return world;
}

async function startAgent(world: World) {
  let isDead = false;
  const real = await openTestJournal({ after: () => undefined }, world.directory);
  const journal = onDisk(real, world);
  const actions = [acting('echo', run), acting('alone', run, { concurrency: 1 })];
  const { executor } = await createTestExecutor(
    { after: () => undefined },
    {
      ...{ journal, actions, limits: { maxConcurrent: MAX_CONCURRENT } },
      standing: () => ({ ...standingNow(), nowMs: world.nowMs() }),
      reporter: {
        ack: async ({ executionId, reason }) => {
          if (reason === '' && !isDead) world.accepted.add(executionId);
        },
        result(id) {
          if (isDead) return; // a closed journal cannot be read
          const result = journal.resultOf(id);
          if (result !== undefined) world.results.set(id, (world.results.get(id) ?? new Set()).add(result.toString()));
        },
      },
    },
  );
  void executor.recover();
  return {
    ...{ executor, journal },
    /** Nothing that this agent does from now on reaches disk or broker. */
    async crash() {
      isDead = true;
      await real.close();
      world.ends.clear(); // its children end with it
      void executor.shutdown(0, AbortSignal.abort());
    },
    async stop() {
      await executor.shutdown(0, AbortSignal.abort());
      await real.close();
    },
  };

  function run({ executionId, signal }: { executionId: string; signal: AbortSignal }) {
    const action = world.requests.find((each) => idOf(each) === executionId)?.request.action ?? '';
    if (!isDead) world.started(executionId, action);
    return new Promise<{ kind: 'exited'; exitCode: number }>((resolve) => {
      const end = (): void => {
        world.ends.delete(end);
        resolve({ kind: 'exited', exitCode: 0 });
      };
      if (!isDead) world.ends.set(end, action);
      signal.addEventListener('abort', end, { once: true });
    });
  }
}

/** The journal on a disk that may be full. */
function onDisk(journal: Journal, world: World): Journal {
  const whenRoom = <T>(write: () => Promise<T>): Promise<T> =>
    world.isFull ? Promise.reject(new MusterError('storage_failed', 'the disk is full')) : write();
  return withOwn(journal, {
    accept: (request) => whenRoom(() => journal.accept(request)),
    starting: (id) => whenRoom(() => journal.starting(id)),
    cancel: (cancel) => whenRoom(() => journal.cancel(cancel)),
    finish: (...ending) => whenRoom(() => journal.finish(...ending)),
    receipt: (ids) => whenRoom(() => journal.receipt(ids)).catch(() => undefined),
  });
}

function cancelOf(id: string) {
  return { id, reason: 'not needed', expiresMs: SYSTEM_CLOCK.nowMs() + HOUR_MS };
}
