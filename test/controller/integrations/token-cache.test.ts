import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Credential } from '../../../controller/http/integration-schemas.js';
import { createTokenCache } from '../../../controller/integrations/token-cache.js';
import { startIntegrations } from '../../support/integrations.js';
import { startStandIn } from '../../support/stand-in.js';
import { createPassingClock } from '../../support/test-clock.js';

const HOUR_MS = 3_600_000;
const ROW = { id: 'i1', sealed: 'v1.k.x' };

test('a token is held until a minute before its end, an hour at most, and never when it says no end', async () => {
  const clock = createPassingClock();
  const cache = createTokenCache(clock);
  let count = 0;
  const get = (lifeMs: number | undefined, row = ROW) =>
    cache.get(row, async () => {
      count += 1;
      return { token: `t${count}`, expiresMs: lifeMs === undefined ? undefined : clock.nowMs() + lifeMs };
    });

  assert.deepEqual([await get(HOUR_MS), await get(HOUR_MS)], ['t1', 't1']);
  clock.advance(HOUR_MS - 61_000);
  assert.equal(await get(10 * HOUR_MS), 't1');
  clock.advance(2_000);
  assert.equal(await get(10 * HOUR_MS), 't2');
  clock.advance(HOUR_MS);
  assert.equal(await get(undefined), 't3');
  assert.equal(await get(59_000), 't4');
  assert.equal(await get(HOUR_MS), 't5');
  assert.equal(await get(HOUR_MS, { ...ROW, sealed: 'another credential' }), 't6');
  cache.drop(ROW.id);
  assert.equal(await get(HOUR_MS), 't7');
});

test('of very many integrations the tokens that were held longest are let go', async () => {
  const cache = createTokenCache(createPassingClock());
  let count = 0;
  const get = (id: string) =>
    cache.get({ ...ROW, id }, async () => {
      count += 1;
      return { token: id, expiresMs: Date.now() + HOUR_MS };
    });

  for (let index = 0; index < 300; index += 1) await get(`i${index}`);
  await get('i299');
  assert.equal(count, 300);
  await get('i0');
  assert.equal(count, 301);
});

test('A-86, A-114: actions share a token of the provider, and one that the system refuses with 401 is fetched anew', async (t) => {
  let given = 0;
  const nango = await startStandIn(t, () => {
    given += 1;
    const expires_at = new Date(Date.now() + HOUR_MS).toISOString();
    return { json: { credentials: { type: 'OAUTH2', access_token: `oauth-token-${given}`, expires_at } } };
  });
  const revoked = new Set<string>();
  const sentry = await startStandIn(t, ({ headers: { authorization = '' } }) =>
    revoked.has(authorization) ? { status: 401, json: { detail: 'Invalid token' } } : { json: {} },
  );
  const { add, ask } = await startIntegrations(t);
  const credential = Credential.parse({
    ...{ provider: 'nango', secret_key: 'nango-secret', connection_id: 'acme:1' },
    ...{ provider_config_key: 'sentry-oauth', base_url: nango.url },
  });
  await add('sentry', sentry.url, { credential });
  const statusOfAsk = async () => (await ask('sentry', 'get_issue', { issue: '1' })).answer.invocation.status;

  assert.deepEqual([await statusOfAsk(), await statusOfAsk(), given], ['completed', 'completed', 1]);
  revoked.add('Bearer oauth-token-1');
  assert.deepEqual([await statusOfAsk(), given], ['failed', 1]);
  assert.deepEqual([await statusOfAsk(), await statusOfAsk(), given], ['completed', 'completed', 2]);
});
