import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Journal } from '../../../agent/journal/contract.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { acting, createTestExecutor, idOf, receive } from '../../support/executor.js';
import { openTestJournal } from '../../support/journal.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const RUNS = 60;
const REQUESTS = 4;
const HOUR_MS = 3_600_000;

/** What a broker and an operator may do, in any order and as often as they like; requests and acks may be lost. */
const step = fc.record({
  do: fc.constantFrom('deliver', 'deliver', 'deliver', 'cancel', 'receipt', 'end', 'restart', 'pause'),
  which: fc.nat({ max: REQUESTS - 1 }),
});

test('lost, repeated and reordered messages and restarts: at most one start, one outcome for what was accepted', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const world = createWorld();
      let agent = await startAgent(world, await openTestJournal({ after: () => undefined }, world.directory));
      for (const { do: what, which } of steps) {
        const received = world.requests[which];
        assert.ok(received);
        if (what === 'restart') {
          await agent.crash();
          agent = await startAgent(world, await openTestJournal({ after: () => undefined }, world.directory));
        } else if (what === 'deliver') void agent.executor.execute(received);
        else if (what === 'cancel') void agent.executor.cancel(cancelOf(idOf(received)));
        else if (what === 'receipt') void agent.journal.receipt([idOf(received)]);
        else if (what === 'end') for (const end of [...world.ends]) end();
        else await new Promise((resolve) => setImmediate(resolve));
      }
      await until(() => endAll(world) && agent.executor.activeCount() === 0, { what: 'quiet' });
      world.check(agent.journal);
      await agent.stop();
    }),
    { numRuns: RUNS },
  );

  function createWorld() {
    const directory = temporaryDirectory(t);
    const starts = new Map<string, number>();
    const results = new Map<string, Set<string>>();
    const accepted = new Set<string>();
    const ends = new Set<() => void>();
    const requests = Array.from({ length: REQUESTS }, () => receive());
    return {
      ...{ directory, starts, results, accepted, ends, requests },
      check(journal: Journal) {
        for (const id of requests.map(idOf)) {
          assert.ok((starts.get(id) ?? 0) <= 1, 'started more than once');
          assert.ok((results.get(id)?.size ?? 0) <= 1, 'two different results');
          if (accepted.has(id)) assert.equal(journal.find(id)?.state, 'finished', 'accepted without an outcome');
        }
      },
    };
  }

  type World = ReturnType<typeof createWorld>;

  async function startAgent(world: World, journal: Journal) {
    let isDead = false;
    let isClosing = false;
    const action = acting('echo', ({ executionId, signal }) => {
      world.starts.set(executionId, (world.starts.get(executionId) ?? 0) + 1);
      return new Promise((resolve) => {
        const end = (): void => {
          world.ends.delete(end);
          resolve({ kind: 'exited', exitCode: 0 });
        };
        world.ends.add(end);
        signal.addEventListener('abort', end, { once: true });
      });
    });
    const { executor } = await createTestExecutor(
      { after: () => undefined },
      {
        journal,
        actions: [action],
        limits: { maxConcurrent: 3 },
        reporter: {
          ack: async ({ executionId, reason }) => {
            if (reason === '' && !isDead) world.accepted.add(executionId);
          },
          result(id) {
            if (isClosing) return; // a closed journal cannot be read
            const result = journal.resultOf(id);
            if (result === undefined) return;
            world.results.set(id, (world.results.get(id) ?? new Set()).add(result.toString()));
          },
        },
      },
    );
    await executor.recover();
    return {
      executor,
      journal,
      /** Nothing that this agent does from now on reaches disk or broker. */
      async crash() {
        isClosing = true;
        await journal.close();
        isDead = true;
        await executor.shutdown(0, AbortSignal.abort());
        for (const end of [...world.ends]) end();
      },
      async stop() {
        await executor.shutdown(0, AbortSignal.abort());
        await journal.close();
      },
    };
  }

  function endAll({ ends }: World): boolean {
    for (const end of [...ends]) end();
    return true;
  }
});

function cancelOf(id: string) {
  return { id, reason: 'not needed', expiresMs: SYSTEM_CLOCK.nowMs() + HOUR_MS };
}
