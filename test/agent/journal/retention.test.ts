import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEntries, type Entries } from '../../../agent/journal/entries.js';
import { prune } from '../../../agent/journal/retention.js';
import { openTestJournal, runThrough, turnOver } from '../../support/journal.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const ID = '0192f0c1-2b3c-7d4e-8f50-6172839405a6';
const FIRST_WELCOME_MS = Date.parse('2026-06-01T00:00:00Z');
const DAY_MS = 24 * 3_600_000;

test('a result from before the first welcome, by a clock that began in 1970, has its 30 days from that welcome', () => {
  const entries = finishedIn1970();

  forget(entries, FIRST_WELCOME_MS);
  forget(entries, FIRST_WELCOME_MS + 29 * DAY_MS);
  assert.ok(entries.byId.has(ID));

  forget(entries, FIRST_WELCOME_MS + 31 * DAY_MS);
  assert.equal(entries.byId.has(ID), false);
});

test('once it is receipted it may be forgotten', () => {
  const entries = finishedIn1970();
  entries.apply({ record: { kind: 'receipted', ids: [ID] } });

  forget(entries, FIRST_WELCOME_MS);

  assert.equal(entries.byId.has(ID), false);
});

test('promise 7: a result of a node that was away for 40 days with a clock of 1970 has its 30 days from the next welcome', async (t) => {
  const directory = temporaryDirectory(t);
  const clock = { nowMs: () => 5_000, monotonicMs: () => 0 };
  const maxBytes = 1024 * 1024;
  const before = await openTestJournal(t, directory, { clock, maxBytes });
  await before.beginEpoch(FIRST_WELCOME_MS);
  await before.welcomed(1, FIRST_WELCOME_MS);
  const { id } = await runThrough(before, { expiresMs: 0 });
  await turnOver(before, { expiresMs: 0 }); // said anew by a compaction
  await before.close();
  const journal = await openTestJournal(t, directory, { clock, maxBytes });

  await journal.welcomed(2, FIRST_WELCOME_MS + 40 * DAY_MS);
  await turnOver(journal, { expiresMs: 0 });
  assert.ok(journal.unreceipted().includes(id));

  await journal.welcomed(3, FIRST_WELCOME_MS + 71 * DAY_MS);
  await turnOver(journal, { expiresMs: 0 });
  assert.equal(journal.find(id), undefined);
});

/** An execution that ended on a node that had never been welcomed, and then was. */
function finishedIn1970(): Entries {
  const entries = createEntries();
  const accepted = { id: ID, sha256: 'ab'.repeat(32), expires_ms: 0, starting: true, seq: 1, octets: 0 };
  entries.apply({ record: { kind: 'accepted', ...accepted } });
  entries.apply({ record: { kind: 'finished', id: ID, at_ms: 5_000, spill_bytes: 0, octets: 0 } });
  welcome(entries, 1, FIRST_WELCOME_MS);
  return entries;
}

function welcome(entries: Entries, seq: number, nowMs: number): void {
  const standing = { seq: 1, epoch_ms: FIRST_WELCOME_MS, welcome_seq: seq, welcome_ms: nowMs, forgotten_ms: 0 };
  entries.apply({ record: { kind: 'standing', ...standing } });
}

function forget(entries: Entries, nowMs: number): void {
  prune(entries, { nowMs, maxBytes: 1024 * 1024, dropOutput: () => undefined });
}
