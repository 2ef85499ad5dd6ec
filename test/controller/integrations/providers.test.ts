import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { decodeProtectedHeader, importSPKI, jwtVerify } from 'jose';
import { Credential } from '../../../controller/http/integration-schemas.js';
import { recordOf, tokenFrom } from '../../../controller/integrations/providers/list.js';
import { createUpstream } from '../../../controller/integrations/upstream.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { assertThrowsCode } from '../../support/assert-code.js';
import { startStandIn } from '../../support/stand-in.js';

const RSA = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
});

test('A-6, A-114: a stored credential is the token itself', async () => {
  assert.equal(await tokenOf(Credential.parse({ provider: 'stored', token: 'the-token-of-it' })), 'the-token-of-it');
});

test('A-6, A-114: Nango is asked for the token of a connection, an OAuth one or an API key', async (t) => {
  const credentials = [{ type: 'OAUTH2', access_token: 'oauth-token' }, { type: 'API_KEY', apiKey: 'the-api-key' }, {}];
  const nango = await startStandIn(t, (_seen, count) => ({ json: { credentials: credentials[count - 1] } }));
  const credential = Credential.parse({
    ...{ provider: 'nango', secret_key: 'nango-secret', connection_id: 'acme:1' },
    ...{ provider_config_key: 'sentry-oauth', base_url: nango.url },
  });

  assert.equal(await tokenOf(credential), 'oauth-token');
  assert.equal(await tokenOf(credential), 'the-api-key');
  const { method, path, query, headers } = nango.last();
  assert.deepEqual([method, path, query], ['GET', '/connection/acme%3A1', { provider_config_key: 'sentry-oauth' }]);
  assert.equal(headers.authorization, 'Bearer nango-secret');
  await assert.rejects(tokenOf(credential), { code: 'integration_failed', message: 'nango answered without a token' });
});

test('A-6, A-114: a GitHub App proves itself with a JWT and gets the token of its installation', async (t) => {
  const github = await startStandIn(t, () => ({ status: 201, json: { token: 'ghs_installation' } }));
  const credential = Credential.parse({
    ...{ provider: 'github_app', app_id: '4711', installation_id: '42' },
    ...{ private_key: RSA.privateKey, base_url: github.url },
  });

  assert.equal(await tokenOf(credential), 'ghs_installation');

  const { method, path, headers } = github.last();
  assert.deepEqual([method, path], ['POST', '/app/installations/42/access_tokens']);
  const jwt = (headers.authorization ?? '').replace('Bearer ', '');
  assert.deepEqual(decodeProtectedHeader(jwt), { alg: 'RS256', typ: 'JWT' });
  const { payload } = await jwtVerify(jwt, await importSPKI(RSA.publicKey, 'RS256'), { issuer: '4711' });
  const { iat = 0, exp = 0 } = payload;
  assert.ok(exp - iat <= 600 && exp > Date.now() / 1000);
});

test('a key that a GitHub App cannot have is refused when it is given, and not quoted', () => {
  const { privateKey } = generateKeyPairSync('ed25519', {
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  for (const private_key of [privateKey, `${RSA.privateKey.slice(0, 300)}canary`]) {
    const credential = Credential.parse({ provider: 'github_app', app_id: '1', installation_id: '2', private_key });
    assert.doesNotMatch(assertThrowsCode(() => recordOf(credential), 'invalid_request').message, /canary|MII|MC4/);
  }
});

async function tokenOf(credential: Credential): Promise<string> {
  const { signal } = new AbortController();
  const { token } = await tokenFrom(credential.provider, recordOf(credential), {
    ask: (name, baseUrl, headers) => createUpstream({ name, baseUrl, headers, signal, scrub: (text) => text }),
    nowMs: SYSTEM_CLOCK.nowMs(),
  });
  return token;
}
