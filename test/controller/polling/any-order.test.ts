import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ENDED_STATUSES } from '../../../controller/http/statuses.js';
import type { NodeCaller, PollingService } from '../../../controller/polling/contract.js';
import { isMusterError } from '../../../protocol/errors.js';
import { invoke } from '../../support/asks.js';
import { OWNER } from '../../support/core.js';
import { startPollingInstallation } from '../../support/polling.js';
import { createPassingClock } from '../../support/test-clock.js';

const DONE = { status: 'success', exit_code: 0, stdout: '', stderr: '' } as const;

/** What may happen next; `lost`: the call is carried out, and its answer does not arrive. */
const Step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('ask' as const) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('turn' as const), lost: fc.nat(3), crash: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(5) }) },
);

/** A node that keeps to the rules: the key and the answer on disk, an ack before the start, reports until they arrive. */
function createNode(polling: PollingService, caller: NodeCaller) {
  const starts = new Map<string, number>();
  const disk = {
    key: 0,
    answer: undefined as readonly string[] | undefined,
    begun: new Set<string>(),
    over: new Set<string>(),
  };
  return {
    starts,
    /** One turn, in which the `lost`-th answer from now does not arrive, and after a start the node may crash. */
    async turn(lost: number, crash: boolean): Promise<void> {
      let calls = 0;
      const arrived = async <T>(work: Promise<T>): Promise<T> => {
        calls += 1;
        const at = calls;
        const value = await work;
        if (at === lost) throw new Error('the answer is lost');
        return value;
      };
      try {
        disk.answer ??= (await arrived(polling.fetch(caller, `key-${disk.key}`))).map(({ action_id }) => action_id);
        for (const name of disk.answer.filter((each) => !disk.over.has(each))) {
          if (!disk.begun.has(name)) {
            const isAllowed = await arrived(
              polling.ack(caller, name, { status: 'accepted' }).then(() => true, refused),
            );
            if (!isAllowed) {
              disk.over.add(name);
              continue;
            }
            disk.begun.add(name);
            starts.set(name, (starts.get(name) ?? 0) + 1);
            if (crash) throw new Error('the node crashes');
          }
          await arrived(polling.report(caller, name, DONE));
          disk.over.add(name);
        }
        disk.answer = undefined;
        disk.begun.clear();
        disk.over.clear();
        disk.key += 1;
      } catch (error) {
        if (isMusterError(error)) throw error;
      }
    },
  };
}

/** False for a refusal that says not to start it. */
function refused(error: unknown): false {
  if (isMusterError(error, 'conflict') || isMusterError(error, 'expired')) return false;
  throw error;
}

test('whatever answers are lost, each action starts at most once, and every one that is not cancelled does', async (t) => {
  const clock = createPassingClock();
  const { muster, addNode } = await startPollingInstallation(t, { clock });
  const { polling, invocations, audit } = muster.core.services;

  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(Step, { maxLength: 14 }), async (steps) => {
      runs += 1;
      clock.advance(61_000); // no limit per minute counts what an earlier run did
      const caller = { node: `kiosk-${runs}`, org: 'default' };
      await addNode(caller.node);
      const node = createNode(polling, caller);
      const asked: string[] = [];
      const cancelled = new Set<string>();
      for (const step of steps) {
        if (step.kind === 'ask') asked.push(await invoke(invocations, { nodes: [caller.node] }, { action: 'message' }));
        else if (step.kind === 'turn') await node.turn(step.lost, step.crash);
        else {
          const id = asked[step.which];
          if (id === undefined) continue;
          cancelled.add(id);
          await invocations.cancel(OWNER, id, {}).catch(refused);
        }
      }
      for (let quiet = 0; quiet < 4; quiet += 1) await node.turn(0, false);

      for (const id of asked) {
        const view = await invocations.get('default', id);
        assert.ok(view !== undefined && ENDED_STATUSES.has(view.status), view?.status);
        if (!cancelled.has(id)) assert.equal(view.status, 'completed');
      }
      assert.ok([...node.starts.values()].every((count) => count === 1));
      assert.ok(node.starts.size >= asked.filter((id) => !cancelled.has(id)).length);
    }),
    { numRuns: 40 },
  );
  const { findings } = await audit.verify({});
  assert.deepEqual(findings, []);
});
