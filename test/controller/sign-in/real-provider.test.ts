import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readConnection } from '../../../cli/installation.js';
import { ApiTokenCreated } from '../../../controller/http/people-schemas.js';
import type { TestScope } from '../../support/broker.js';
import { startTestCore } from '../../support/core.js';
import { startTestHttp } from '../../support/http.js';
import { CLIENT } from '../../support/identity-provider.js';
import { endOf, spawnMuster } from '../../support/muster.js';
import { startRealProvider, visitProvider } from '../../support/real-provider.js';
import { ORIGIN, openBrowser, ROLES } from '../../support/sign-in.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

async function startSite(t: TestScope) {
  const provider = await startRealProvider(t, `${ORIGIN}/api/v1/auth/oidc/callback`);
  const file = join(temporaryDirectory(t), 'secret');
  writeFileSync(file, CLIENT.secret);
  const oidc = {
    ...{ issuer: provider.issuer, client_id: CLIENT.id, client_secret_file: file },
    ...{ roles: ROLES, scopes: ['openid', 'profile'] },
  };
  const core = await startTestCore(t, { config: { public_url: ORIGIN, oidc } });
  const { url } = await startTestHttp(t, core.core.services);
  return { provider, core, url };
}

test('a person signs in with a browser at a provider that others made', async (t) => {
  const { provider, url } = await startSite(t);
  provider.groupsOf.set('ann', ['fleet-operators', 'canteen']);
  const browser = openBrowser({ url });
  const first = await browser.get('/api/v1/auth/oidc/login?return_to=/docs');

  const back = await visitProvider(provider, first.headers.get('location') ?? '', 'ann');
  const onward = await browser.get(back);
  const { user, role } = ApiTokenCreated.parse(await (await browser.collect()).json());

  assert.equal(onward.headers.get('location'), `${ORIGIN}/docs`);
  assert.deepEqual([user.replace(/-\w{12}$/, ''), role], ['ann', 'operator']);
});

test('muster login --sso signs in at a provider that others made, and keeps the token for its user alone', async (t) => {
  const { provider, url } = await startSite(t);
  provider.groupsOf.set('bob', ['fleet-viewers']);
  const home = temporaryDirectory(t);
  const settings = { HOME: home };
  const login = spawnMuster(t, ['login', '--sso', '--url', url], settings, { cwd: home });
  const ended = endOf(login);

  const invitation = await new Promise<string>((told) => {
    let text = '';
    login.stderr?.on('data', (part: string) => {
      text += part;
      if (text.includes('Waiting')) told(text);
    });
  });
  const [, address = '', code = ''] = /^Open (\S+) and enter the code (\S+),$/m.exec(invitation) ?? [];
  const [, complete = ''] = /or open (\S+), where it stands/.exec(invitation) ?? [];
  const page = await visitProvider(provider, complete, 'bob');
  const { exitCode, stdout, stderr } = await ended;

  assert.ok(address.startsWith(provider.issuer) && complete.includes(code), invitation);
  assert.match(page, /Sign-in Success/i);
  assert.deepEqual([exitCode, stdout], [0, ''], stderr);
  assert.match(stderr, /Logged in to \S+ as bob-\w{12} \(viewer\) until \d{4}-/);
  const directory = join(home, '.config/muster');
  assert.equal(statSync(join(directory, 'cli.json')).mode & 0o777, 0o600);
  assert.ok(!stderr.includes(readConnection(directory).token), 'the token is not shown');
  assert.equal((await endOf(spawnMuster(t, ['nodes'], settings, { cwd: home }))).exitCode, 0);
});
