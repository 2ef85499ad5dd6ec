import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ControllerConfig } from '../../../controller/config.js';
import { readOidc } from '../../../controller/sign-in/settings.js';
import { loadConfig } from '../../../runtime/config.js';
import { assertThrowsCode } from '../../support/assert-code.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const LEAST = { issuer: 'https://id.example.org/realms/plant', client_id: 'muster', roles: { staff: 'viewer' } };

const read = (
  oidc: unknown,
  settings: Readonly<Record<string, unknown>> = { public_url: 'https://muster.example.org' },
) => {
  const { controller } = loadConfig(
    { controller: ControllerConfig },
    { env: { MUSTER_CONTROLLER_OIDC: JSON.stringify(oidc) }, flags: { controller: settings } },
  );
  return readOidc(controller);
};

test('sign-in is off by default, and the least that it needs is an issuer, a client, a role and our own address', () => {
  assert.equal(readOidc(ControllerConfig.parse({})), undefined);
  assert.deepEqual(read(LEAST), {
    ...{ issuer: LEAST.issuer, client_id: 'muster', clientSecret: undefined, roles: { staff: 'viewer' } },
    ...{ scopes: ['openid', 'profile', 'email'], groups_claim: 'groups' },
    publicOrigin: 'https://muster.example.org',
  });
});

test('faults of the settings are told at the start, each by its name', () => {
  const faults: readonly (readonly [Readonly<Record<string, unknown>>, RegExp])[] = [
    [{ issuer: 'http://id.example.org' }, /controller\.oidc\.issuer: must be https, or on this machine/],
    [{ issuer: 'id.example.org' }, /controller\.oidc\.issuer/],
    [{ client_id: '' }, /controller\.oidc\.client_id/],
    [{ scopes: ['profile'] }, /controller\.oidc\.scopes: must hold openid/],
    [{ scopes: ['openid profile'] }, /controller\.oidc\.scopes\.0/],
    [{ roles: { staff: 'root' } }, /controller\.oidc\.roles\.staff/],
    [{ roles: {} }, /controller\.oidc\.roles: gives nobody a role/],
    [{ default_role: 'admin' }, /controller\.oidc\.default_role/],
    [{ secret: 'x' }, /secret/],
    [{ client_secret_file: '/nowhere/secret' }, /client_secret_file: \/nowhere\/secret cannot be read \(ENOENT\)/],
  ];
  for (const [change, expected] of faults) {
    assert.match(assertThrowsCode(() => read({ ...LEAST, ...change }), 'config_invalid').message, expected);
  }
  assert.match(assertThrowsCode(() => read(LEAST, {}), 'config_invalid').message, /controller\.public_url: is needed/);
  for (const url of [
    'http://muster.example.org',
    'https://muster.example.org/below',
    'https://a@b.example',
    'ftp://x',
    'muster',
  ]) {
    assert.match(
      assertThrowsCode(() => read(LEAST, { public_url: url }), 'config_invalid').message,
      /controller\.public_url/,
      url,
    );
  }
});

test('the secret of the client comes from its file, without the line end, and never into a message', (t) => {
  const file = join(temporaryDirectory(t), 'secret');
  writeFileSync(file, 'canary\n');
  assert.equal(read({ ...LEAST, client_secret_file: file })?.clientSecret, 'canary');
  writeFileSync(file, ' \n');
  assertThrowsCode(() => read({ ...LEAST, client_secret_file: file }), 'config_invalid');
  writeFileSync(file, `canary${'x'.repeat(5_000)}`);
  const { message } = assertThrowsCode(() => read({ ...LEAST, client_secret_file: file }), 'config_invalid');
  assert.doesNotMatch(message, /canary/);
});
