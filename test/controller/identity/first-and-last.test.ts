import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ensureOwnerToken } from '../../../controller/identity/api-tokens.js';
import { auditRows } from '../../support/audit-rows.js';
import { OWNER, startTestCore } from '../../support/core.js';
import { createTestClock } from '../../support/test-clock.js';

test('the first owner, and tokens whose time is over, have their rows in the audit log (promise 21)', async (t) => {
  const clock = createTestClock();
  const { store, core } = await startTestCore(t, { clock });
  await ensureOwnerToken(store, 'default', clock.nowMs());
  const { id } = await core.services.tokens.create(OWNER, { name: 'short', expires_in: '1h' });
  clock.advance(3_600_000);

  await core.tidy();

  assert.deepEqual(await auditRows(store, 'user_created'), [
    { actor: 'controller', subject: 'user:owner', details: { role: 'owner', fingerprint: null } },
  ]);
  assert.deepEqual(await auditRows(store, 'token_expired'), [
    { actor: 'controller', subject: `token:${id}`, details: {} },
  ]);
  assert.deepEqual((await core.services.audit.verify({})).findings, []);
});
