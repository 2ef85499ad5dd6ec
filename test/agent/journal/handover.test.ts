import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Handover } from '../../../agent/journal/records.js';
import { journalBytes, journalRequest, openTestJournal, runThrough } from '../../support/journal.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const HANDOVER: Handover = {
  ...{ process_id: 'one', boot_id: 'boot', began_ms: 1_000, due_ms: 61_000 },
  ...{ left_ms: 1_700_000_000_000, left_since_boot_ms: 61_000 },
};

test('what is handed over is found by the next process, also after its file was cleaned away', async (t) => {
  const directory = temporaryDirectory(t);
  const small = { maxBytes: 256 * 1024 };
  const journal = await openTestJournal(t, directory, small);
  const request = journalRequest();
  await journal.accept(request);
  await journal.handOver(request.id, HANDOVER);
  const left = { ...HANDOVER, left_since_boot_ms: 62_000 };
  await journal.handOver(request.id, left);
  for (let count = 0; count < 40; count += 1) {
    const { id } = await runThrough(journal, { octets: Buffer.alloc(8_000, 'x') });
    await journal.receipt([id]);
  }
  await journal.answers();
  assert.ok(journalBytes(directory) < 40 * 8_000, 'the oldest file was cleaned away');
  assert.equal(journal.hasHandover(), true);
  await journal.close();

  const next = await openTestJournal(t, directory, small);

  assert.deepEqual(
    next.leftOpen().map(({ id, handover }) => [id, handover]),
    [[request.id, left]],
  );
  await next.finish(request.id, Buffer.from('done'), []);
  assert.equal(next.hasHandover(), false);
});

test('a handover that the disk does not take has not happened', async (t) => {
  const journal = await openTestJournal(t, temporaryDirectory(t));
  const request = journalRequest();
  await journal.accept(request);
  await journal.close();

  await assert.rejects(journal.handOver(request.id, HANDOVER), { code: 'storage_failed' });

  assert.equal(journal.find(request.id)?.handover, undefined);
});
