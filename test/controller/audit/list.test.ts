import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAuditService } from '../../../controller/audit/service.js';
import { AuditQuery } from '../../../controller/http/audit-schemas.js';
import { startKeyring } from '../../../controller/identity/keyring.js';
import { createVault } from '../../../controller/integrations/vault.js';
import { appendAudit } from '../../../controller/store/audit.js';
import { openStore } from '../../../controller/store/store.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import type { TestScope } from '../../support/broker.js';
import { storePlace } from '../../support/store-place.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

test('the audit trail is read newest first, page by page, whatever the filters leave out', async (t) => {
  const { list } = await startAudit(t, 45_000);

  const all = await list({ limit: '200' });
  assert.deepEqual([all.items[0]?.seq, all.items.at(-1)?.seq, all.items.length], [45_000, 44_801, 200]);
  const next = await list({ limit: '200', cursor: all.next_cursor ?? '' });
  assert.equal(next.items[0]?.seq, 44_800);

  const found: number[] = [];
  let cursor: string | undefined;
  let pages = 0;
  do {
    const page = await list({ event: 'rare', cursor });
    found.push(...page.items.map(({ seq }) => seq));
    cursor = page.next_cursor ?? undefined;
    pages += 1;
  } while (cursor !== undefined);
  assert.deepEqual([found, pages], [[40_001, 30_001, 20_001, 10_001, 1], 3]);
});

test('rows are found by actor, subject and time, and never those of another org', async (t) => {
  const { list } = await startAudit(t, 12);

  assert.deepEqual(
    (await list({ subject: 'thing:3' })).items.map(({ seq }) => seq),
    [4],
  );
  assert.deepEqual((await list({ actor: 'nobody' })).items, []);
  assert.equal((await list({ since: '1970-01-01T00:00:01.010Z' })).items.length, 2);
  assert.deepEqual((await list({}, 'other')).items, []);
  const [row] = (await list({ limit: '1' })).items;
  assert.deepEqual([row?.at, row?.details], ['1970-01-01T00:00:01.011Z', { index: 11 }]);
  await assertRejectsCode(list({ cursor: 'MA' }), 'invalid_request');
  await assertRejectsCode(list({ cursor: 'LTE' }), 'invalid_request');
});

async function startAudit(t: TestScope, count: number) {
  const log = createLogger('controller', { level: 'silent' });
  const directory = temporaryDirectory(t);
  const keyring = startKeyring({ directory, org: 'default', clock: SYSTEM_CLOCK, log });
  t.after(keyring.stop);
  const store = await openStore(await storePlace(t));
  t.after(store.close);
  const entries = Array.from({ length: count }, (_, index) => ({
    ...{ atMs: 1_000 + index, org: 'default', actor: 'owner', subject: `thing:${index}`, details: { index } },
    event: index % 10_000 === 0 ? 'rare' : 'tested',
  }));
  for (let at = 0; at < count; at += 5_000) await store.write((tx) => appendAudit(tx, entries.slice(at, at + 5_000)));
  const audit = createAuditService({ store, keyring, vault: createVault(directory), clock: SYSTEM_CLOCK });
  return {
    list: (query: Readonly<Record<string, string | undefined>>, org = 'default') =>
      audit.list(org, AuditQuery.parse(query)),
  };
}
