import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutAudit } from '../../../controller/retention/cut-audit.js';
import { sha256Hex } from '../../../protocol/envelope.js';
import { invoke } from '../../support/asks.js';
import { OWNER } from '../../support/core.js';
import { harmed, startSite, verify } from '../../support/harmed-store.js';
import { createTestClock } from '../../support/test-clock.js';

const HOUR_MS = 3_600_000;

test('promise 21: a result put in that says it came before the trail begins is found', async (t) => {
  const clock = createTestClock();
  const site = await startSite(t, clock);
  const { store, core } = site.muster;
  clock.advance(2 * HOUR_MS);
  const nowMs = clock.nowMs();
  await cutAudit(store, { org: 'default', cutoffMs: nowMs - HOUR_MS, nowMs });
  clock.advance(2 * HOUR_MS);
  const id = await invoke(core.services.invocations, { nodes: ['pump-1'] });
  await core.services.invocations.cancel(OWNER, id, {});
  const { execution_id } = (await core.services.invocations.execution('default', id, 'pump-1')) ?? {};
  await site.muster.stop();
  assert.deepEqual((await verify(site)).findings, []);

  await harmed(site, async (tx) => {
    const row = await tx.selectFrom('results').selectAll().executeTakeFirstOrThrow();
    const forged = { ...row, execution_id: execution_id ?? '', payload_sha256: sha256Hex('forged'), received_at: 1 };
    await tx.insertInto('results').values(forged).execute();
  });

  const { findings } = await verify(site);
  assert.ok(findings.some(({ detail }) => detail === 'no row of the audit trail tells of its result'));
});
