import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasDisplay, openBrowser } from '../../cli/open-browser.js';
import { runMuster, startTestController } from '../support/muster.js';
import { askPlainly } from '../support/plain-http.js';
import { startPrefixProxy } from '../support/prefix-proxy.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

test('muster dashboard prints an address whose code signs a browser in once, and as JSON when it ends', async (t) => {
  const { url, muster } = await startTestController(t);

  const text = await muster('dashboard', '--no-open');
  const json = await muster('dashboard', '--json');

  assert.equal(text.exitCode, 0, text.stderr);
  const [, code = ''] = /#\/sign-in\?code=([0-9a-f]{64})\n$/.exec(text.stdout) ?? [];
  assert.equal(text.stdout, `${url}/#/sign-in?code=${code}\n`);
  const { url: other, expires_at, ...rest } = JSON.parse(json.stdout);
  assert.deepEqual(rest, {});
  assert.match(other, new RegExp(`^${url}/#/sign-in\\?code=[0-9a-f]{64}$`));
  assert.ok(Date.parse(expires_at) > Date.now());
  const signIn = () =>
    askPlainly(url, {
      ...{ method: 'POST', path: '/api/v1/auth/session', body: JSON.stringify({ code }) },
      headers: { origin: url, 'content-type': 'application/json' },
    });
  const first = await signIn();
  assert.equal(first.status, 201, first.text);
  assert.deepEqual(
    { ...JSON.parse(first.text), expires_at: '' },
    { id: 'owner', org: 'default', role: 'owner', expires_at: '' },
  );
  assert.equal((await signIn()).status, 401);
});

test('muster dashboard keeps the path under which a proxy serves the controller, and the page is there', async (t) => {
  const { url, token } = await startTestController(t);
  const address = await startPrefixProxy(t, { prefix: '/fleet', target: url });

  const { exitCode, stdout, stderr } = await runMuster(t, ['dashboard', '--url', `${address}/`, '--token', token]);

  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, new RegExp(`^${address}/#/sign-in\\?code=[0-9a-f]{64}\n$`));
  assert.match((await askPlainly(address, { path: '/fleet/' })).text, /npm run build/, 'where there is no page');
});

test('muster dashboard says why it cannot', async (t) => {
  const nobody = await runMuster(t, ['dashboard', '--url', 'http://127.0.0.1:1/', '--token', 'mst_x']);
  assert.equal(nobody.exitCode, 69, nobody.stderr);
});

test('a browser is opened where somebody sits at a display, and nowhere else', async (t) => {
  const stdout = { write: () => true, isTTY: true };
  const at = (env: Readonly<Record<string, string>>, isTTY = true) => ({ env, stdout: { ...stdout, isTTY } });
  assert.equal(hasDisplay(at({ DISPLAY: ':0' }), 'linux'), true);
  assert.equal(hasDisplay(at({ WAYLAND_DISPLAY: 'wayland-0' }), 'linux'), true);
  assert.equal(hasDisplay(at({}), 'linux'), false);
  assert.equal(hasDisplay(at({ DISPLAY: ':0' }, false), 'linux'), false);
  assert.equal(hasDisplay(at({ DISPLAY: ':10', SSH_CONNECTION: '192.0.2.1 1 192.0.2.2 22' }), 'linux'), false);
  assert.equal(hasDisplay(at({}), 'darwin'), true);

  const directory = temporaryDirectory(t);
  assert.equal(await openBrowser('http://127.0.0.1/#/x', { env: { PATH: directory } }, 'linux'), false);
  const seen = join(directory, 'seen');
  writeFileSync(
    join(directory, 'xdg-open'),
    `#!/bin/sh\nprintf '%s|' "$@" > ${seen}.new && /bin/mv ${seen}.new ${seen}\n`,
  );
  chmodSync(join(directory, 'xdg-open'), 0o755);
  const url = 'http://127.0.0.1:8080/#/sign-in?code=a&b=$(touch x);"';
  assert.equal(await openBrowser(url, { env: { PATH: directory } }, 'linux'), true);
  await until(() => existsSync(seen), { what: 'what the browser was asked to open' });
  assert.equal(readFileSync(seen, 'utf8'), `${url}|`);
});
