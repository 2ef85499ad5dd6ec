import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPlaces } from '../../../controller/integrations/places.js';
import { assertRejectsCode, assertThrowsCode } from '../../support/assert-code.js';
import { OWNER } from '../../support/core.js';
import { startIntegrations } from '../../support/integrations.js';
import { startStandIn } from '../../support/stand-in.js';

test('of one integration 16 calls are under way at most, and of all 64', () => {
  const take = createPlaces();
  const free = Array.from({ length: 16 }, () => take('a', 0));
  assertThrowsCode(() => take('a', 0), 'too_many_open');
  free[0]?.();
  free[0]?.();
  take('a', 0);
  assertThrowsCode(() => take('a', 0), 'too_many_open');
  for (const other of ['b', 'c']) for (let count = 0; count < 16; count += 1) take(other, 0);
  assertThrowsCode(() => take('d', 16), 'too_many_open');
  for (let count = 0; count < 16; count += 1) take('d', 0);
  assertThrowsCode(() => take('e', 0), 'too_many_open');
});

test('a system that hangs keeps nobody from another one', async (t) => {
  const [hung, good] = [await startStandIn(t, () => 'hang'), await startStandIn(t, () => ({ json: { id: '1' } }))];
  const { add, ask, muster } = await startIntegrations(t);
  await add('sentry', hung.url, { name: 'hung' });
  await add('sentry', good.url, { name: 'good' });
  const { integrations } = muster.core.services;
  const get = { target: { integration: 'hung' }, action: 'get_issue', parameters: { issue: '1' }, confirm: false };
  const invoke = () => integrations.invoke(OWNER, get, { bodySha256: '0'.repeat(64) });
  for (let count = 0; count < 16; count += 1) await invoke();

  await assertRejectsCode(invoke(), 'too_many_open');

  assert.equal((await ask('good', 'get_issue', { issue: '1' })).answer.invocation.status, 'completed');
});
