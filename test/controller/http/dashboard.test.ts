import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { readDashboard } from '../../../controller/http/dashboard.js';
import { createLogger } from '../../../runtime/logger.js';
import type { TestScope } from '../../support/broker.js';
import { startTestHttp } from '../../support/http.js';
import { askPlainly } from '../../support/plain-http.js';
import { createScriptedServices, replaceServices } from '../../support/scripted-services.js';
import { assertRefused } from '../../support/sessions.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const PAGE = '<!doctype html><title>Muster</title><script type="module" src="assets/app-1a2b3c.js"></script>\n';
const SCRIPT = `${'// so long that it is worth packing\n'.repeat(50)}document.title = 'a registered value';\n`;
const log = createLogger('controller', { level: 'silent' });

test('the page is there for everybody, is asked for anew each time, and may load what is its own alone', async (t) => {
  const { url } = await startSite(t);

  const answer = await askPlainly(url, { path: '/?anything' });

  assert.equal(answer.status, 200);
  assert.equal(answer.text, PAGE);
  assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8');
  assert.equal(answer.headers['cache-control'], 'no-cache');
  assert.equal(
    answer.headers['content-security-policy'],
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
      "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; " +
      "require-trusted-types-for 'script'; trusted-types 'none'",
  );
  assert.equal(answer.headers['x-content-type-options'], 'nosniff');
  assert.equal(answer.headers['x-frame-options'], 'DENY');
  assert.equal(answer.headers['cross-origin-opener-policy'], 'same-origin');
  assert.match(answer.headers.etag ?? '', /^"[0-9a-f]{32}"$/);
});

test('what the page loads is kept for ever, and goes out as it was built: nothing in it is masked', async (t) => {
  const { url } = await startSite(t);

  const answer = await askPlainly(url, { path: '/assets/app-1a2b3c.js' });

  assert.equal(answer.text, SCRIPT);
  assert.equal(answer.headers['content-type'], 'text/javascript; charset=utf-8');
  assert.equal(answer.headers['cache-control'], 'public, max-age=31536000, immutable');
  const style = await askPlainly(url, { path: '/assets/app-4d5e6f.css' });
  assert.equal(style.headers['content-type'], 'text/css; charset=utf-8');
});

test('each packing that a client takes is sent as what it is, with an entity tag of its own', async (t) => {
  const { url } = await startSite(t);
  const cases = [
    ['br', 'br'],
    ['gzip, deflate, br', 'br'],
    ['gzip', 'gzip'],
    ['GZIP ; q=0.5', 'gzip'],
    ['gzip;q=1, br;q=0.1', 'gzip'],
    ['br;q=0, *;q=0.2', 'gzip'],
    ['*', 'br'],
    ['identity', undefined],
    ['br;q=0, gzip;q=0', undefined],
    ['br;q=nonsense', undefined],
    ['br;q=-1, gzip;q=2', undefined],
    ['*;q=0', undefined],
    ['', undefined],
    [',;,;q,=;q=', undefined],
    ['x'.repeat(8000), undefined],
  ] as const;

  const tags = new Map<string, Set<string>>();
  for (const [accepted, expected] of cases) {
    const headers = { 'accept-encoding': accepted };
    const { headers: told, body } = await askPlainly(url, { path: '/assets/app-1a2b3c.js', headers });
    assert.equal(told['content-encoding'], expected, accepted.slice(0, 40));
    assert.equal(told.vary, 'accept-encoding');
    const plain = expected === 'br' ? brotliDecompressSync(body) : expected === 'gzip' ? gunzipSync(body) : body;
    assert.equal(plain.toString(), SCRIPT);
    tags.set(expected ?? '', (tags.get(expected ?? '') ?? new Set()).add(told.etag ?? ''));
  }
  const all = [...tags.values()].flatMap((each) => [...each]);
  assert.equal(all.length, 3, 'one for each');
  assert.equal(new Set(all).size, 3);
});

test('who has the page already is told so, and HEAD tells all but the page', async (t) => {
  const { url } = await startSite(t);
  const packed = { 'accept-encoding': 'br' };
  const { headers, body } = await askPlainly(url, { path: '/', headers: packed });
  const etag = headers.etag ?? '';

  for (const held of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const again = await askPlainly(url, { path: '/', headers: { ...packed, 'if-none-match': held } });
    assert.equal(again.status, 304, held);
    assert.equal(again.body.length, 0);
    assert.equal(again.headers.etag, etag);
    assert.equal(again.headers['cache-control'], 'no-cache');
  }
  for (const held of ['"other"', etag.replaceAll('"', ''), etag.replace('-br', '')]) {
    const whole = await askPlainly(url, { path: '/', headers: { ...packed, 'if-none-match': held } });
    assert.equal(whole.status, 200, held);
  }
  const head = await askPlainly(url, { method: 'HEAD', path: '/', headers: packed });
  assert.equal(head.status, 200);
  assert.equal(head.body.length, 0);
  assert.equal(head.headers['content-length'], String(body.length));
  assert.equal(head.headers.etag, etag);
});

test('no path leads out of what the build has made', async (t) => {
  const { url, directory } = await startSite(t);
  writeFileSync(join(directory, 'secret.js'), 'not for anybody');

  for (const path of [
    '/assets/',
    '/assets',
    '/assets/app-1a2b3c.js/',
    '/assets/..%2fsecret.js',
    '/assets/..%2Findex.html',
    '/assets/../secret.js',
    '/assets/./app-1a2b3c.js',
    '/assets/%2e%2e/secret.js',
    '/assets/..%5csecret.js',
    '/assets/app-1a2b3c.js%00',
    '/assets/app-1a2b3c.js%00.css',
    '/assets//etc/passwd',
    '/assets/%2fetc%2fpasswd',
    '/assets/APP-1a2b3c.js',
    '/assets/app-1a2b3c.js.map',
    '/assets/__proto__',
    '/assets/constructor',
    `/assets/${'x'.repeat(5000)}`,
    '/index.html',
    '/secret.js',
  ]) {
    const answer = await askPlainly(url, { path });
    assertRefused(answer, 404, 'not_found');
    assert.equal(answer.headers['cache-control'], 'no-store', path);
  }
  assertRefused(await askPlainly(url, { path: '/assets/%zz' }), 400, 'invalid_request');
  const wrong = await askPlainly(url, { method: 'POST', path: '/assets/app-1a2b3c.js' });
  assertRefused(wrong, 405, 'method_not_allowed');
});

test('without the dashboard the controller works, and its page says what to do', async (t) => {
  const missing = await readDashboard(join(temporaryDirectory(t), 'nowhere'), log);
  const { url } = await startTestHttp(t, createScriptedServices().services, log, { dashboard: missing });

  const answer = await askPlainly(url, { path: '/' });

  assertRefused(answer, 404, 'not_found');
  assert.match(answer.text, /npm run build/);
  assert.equal((await askPlainly(url, { path: '/healthz' })).status, 200);
});

async function startSite(t: TestScope): Promise<{ url: string; directory: string }> {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'assets'));
  writeFileSync(join(directory, 'index.html'), PAGE);
  writeFileSync(join(directory, 'assets', 'app-1a2b3c.js'), SCRIPT);
  writeFileSync(join(directory, 'assets', 'app-4d5e6f.css'), 'body { margin: 0 }\n');
  writeFileSync(join(directory, 'assets', 'app-1a2b3c.js.map'), '{}');
  const { services } = createScriptedServices();
  const masking = { ...services.mask, octets: () => Buffer.from('masked'), typed: () => 'masked' };
  const dashboard = await readDashboard(directory, log);
  const { url } = await startTestHttp(t, replaceServices(services, { mask: masking }), log, { dashboard });
  return { url, directory };
}
