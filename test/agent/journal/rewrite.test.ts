import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { createEntries } from '../../../agent/journal/entries.js';
import { octetsOf, rewriteJournal } from '../../../agent/journal/rewrite.js';
import { journalRequest } from '../../support/journal.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

test('what changes while the file is written anew keeps its new octets', async (t) => {
  const file = join(temporaryDirectory(t), 'journal');
  const entries = createEntries();
  const [untouched, finished] = [journalRequest(), journalRequest()];
  for (const { id, sha256, expiresMs, octets } of [untouched, finished]) {
    const record = { kind: 'accepted', id, sha256, expires_ms: expiresMs, starting: true, seq: 1 } as const;
    entries.apply({ record: { ...record, octets: octets.length }, octets });
  }
  const result = Buffer.from('result');

  const rewritten = rewriteJournal(file, { entries, owner: { machine: 'm', org: 'o', node: 'n' } });
  const record = { kind: 'finished', id: finished.id, at_ms: 0, spill_bytes: 0, octets: result.length } as const;
  entries.apply({ record, octets: result });
  const segment = await rewritten;
  t.after(segment.close);

  const [first, second] = [untouched, finished].map(({ id }) => entries.byId.get(id));
  assert.ok(first && second);
  assert.deepEqual(octetsOf(first, segment), untouched.octets);
  assert.equal(second.octets, result);
});
