import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Journal } from '../../../agent/journal/contract.js';
import { journalRequest, openTestJournal } from '../../support/journal.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const RUNS = 60;
const IDS = 4;
const HANDOVER = { process_id: 'one', boot_id: null, began_ms: 0, due_ms: 0, left_ms: 0, left_since_boot_ms: 0 };

const STEPS = ['accept', 'acceptWaiting', 'starting', 'launched', 'handOver', 'cancel', 'finish', 'receipt'] as const;

/** What may be done to one of a few executions, or to the journal. */
const step = fc.record({
  do: fc.constantFrom(...STEPS, 'reopen' as const),
  which: fc.nat({ max: IDS - 1 }),
});

test('whatever happens in whatever order, a journal that is opened again says the same', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const directory = temporaryDirectory(t);
      const requests = Array.from({ length: IDS }, () => journalRequest());
      let journal = await openTestJournal(t, directory);
      for (const { do: what, which } of steps) {
        const request = requests[which];
        assert.ok(request);
        if (what === 'reopen') {
          const before = told(journal, requests);
          await journal.close();
          journal = await openTestJournal(t, directory);
          assert.deepEqual(told(journal, requests), before);
        } else await apply(journal, request, what);
      }
      await journal.close();
    }),
    { numRuns: RUNS },
  );
});

type Step = (typeof STEPS)[number];

/** Does a step where the executor would do it. */
async function apply(journal: Journal, request: ReturnType<typeof journalRequest>, what: Step): Promise<void> {
  const { id, expiresMs } = request;
  const state = journal.find(id)?.state;
  const isOpen = state === 'accepted' || state === 'starting';
  if (what === 'accept' && state === undefined) await journal.accept(request);
  else if (what === 'acceptWaiting' && state === undefined) await journal.accept({ ...request, starting: false });
  else if (what === 'starting' && state === 'accepted') await journal.starting(id);
  else if (what === 'launched' && state === 'starting') journal.launched(id);
  else if (what === 'handOver' && isOpen) await journal.handOver(id, { ...HANDOVER, began_ms: journal.seq });
  else if (what === 'cancel') await journal.cancel({ id, reason: 'changed our mind', expiresMs });
  else if (what === 'finish' && isOpen) await journal.finish(id, Buffer.from(`result of ${id}`), [Buffer.from('out')]);
  else if (what === 'receipt') await journal.receipt([id]);
}

/** All that a journal says. */
function told(journal: Journal, requests: readonly { id: string }[]): unknown {
  return {
    seq: journal.seq,
    hasHandover: journal.hasHandover(),
    unreceipted: journal.unreceipted(),
    entries: requests.map(({ id }) => [
      journal.find(id),
      journal.requestOf(id)?.toString(),
      journal.resultOf(id)?.toString(),
      [...journal.outputOf(id)].map(String),
    ]),
  };
}
