import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announcedLabels, showLabels } from '../../../../agent/actions/containers/labels.js';
import { showVariable } from '../../../../agent/actions/containers/secrets.js';

test('a variable of an environment is shown without its value when its name says secret', () => {
  const names = [
    ...['PASSWORD', 'DB_PASSWD', 'MYSQL_PWD', 'PASSPHRASE', 'app.pass', 'API_KEY', 'apikey', 'AWS_SECRET_ACCESS_KEY'],
    ...['GITHUB_TOKEN', 'Authorization', 'JWT', 'PRIVATE_PEM', 'SESSION_COOKIE', 'SENTRY_DSN', 'SLACK_WEBHOOK_URL'],
    ...['CREDENTIALS', 'encryptionKey', 'SIGNING-KEY', 'PASSWORD_SALT', 'npm_config__auth'],
  ];
  for (const name of names) assert.equal(showVariable(`${name}=hunter2=x`), `${name}=[redacted]`);
});

test('a variable is shown without its value, or the part of it, that looks like a secret', () => {
  const jwt = `eyJ${'a'.repeat(20)}.${'b'.repeat(20)}.${'c'.repeat(20)}`;
  const shown: readonly (readonly [given: string, expected: string])[] = [
    ['CONFIG=-----BEGIN RSA PRIVATE KEY-----', 'CONFIG=[redacted]'],
    [`BEARER=${jwt}`, 'BEARER=[redacted]'],
    [`CI=ghp_${'a'.repeat(36)}`, 'CI=[redacted]'],
    ['CLOUD=AKIAIOSFODNN7EXAMPLE', 'CLOUD=[redacted]'],
    ['DB=postgres://app:s3cret@db:5432/app', 'DB=postgres://app:[redacted]@db:5432/app'],
    ['CACHE=redis://:s3cret@cache', 'CACHE=redis://:[redacted]@cache'],
    ['CONN=Server=db;Password=s3cret;Timeout=5', 'CONN=Server=db;Password=[redacted];Timeout=5'],
    ['DB=postgres://app:p/s@c:r@db/app', 'DB=postgres://app:[redacted]@db/app'],
    [
      'JSON={"db":{"user":"app","password":"s3\\"cret"},"port":1}',
      'JSON={"db":{"user":"app","password":"[redacted]"},"port":1}',
    ],
    ['JSON={"apiKey": s3cret, "a": 1}', 'JSON={"apiKey": "[redacted]", "a": 1}'],
    ['FEED=https://example.com/?access_token=s3cret&x=1', 'FEED=https://example.com/?access_token=[redacted]&x=1'],
    ['HOOK=https://example.com/?sig=s3cret&x=1', 'HOOK=https://example.com/?sig=[redacted]&x=1'],
  ];
  for (const [given, expected] of shown) assert.equal(showVariable(given), expected);
});

test('what is no secret is shown as it is', () => {
  for (const each of [
    ...['PATH=/usr/bin:/bin', 'LANG=C.UTF-8', 'LEVEL=debug', 'EMPTY=', 'PASSWORD=', 'NOVALUE'],
    ...['URL=https://example.com:8443/path?page=2', 'KEYBOARD=us', 'AUTHOR=Ann', 'PINNED=1'],
  ]) {
    assert.equal(showVariable(each), each);
  }
});

test('a value that was made to be slow to search is shown without delay', () => {
  for (const each of ['a.', 'a://', '"', 'eyJ', 'password', '\\', 'a:b@', '-----BEGIN ']) {
    assert.ok(showVariable(`X=${each.repeat(1_000_000)}`).length <= 100_000, each);
  }
});

test('labels are announced without those of tools and secrets, ours first, and shown with a mark for secrets', () => {
  const labels = {
    'com.docker.compose.project': 'shop',
    'com.docker.compose.config-hash': 'abc',
    'org.opencontainers.image.source': 'https://example.com',
    'traefik.http.middlewares.auth.basicauth.users': 'ann:$apr1$x',
    'bad key': 'x',
    'app.password': 'hunter2',
    ...Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`many-${index}`, 'x'])),
    'muster.protected': 'true',
  };

  const announced = announcedLabels(labels);
  assert.deepEqual(Object.entries(announced)[0], ['muster.protected', 'true']);
  assert.equal(Object.keys(announced).length, 32);
  assert.doesNotMatch(JSON.stringify(announced), /hunter2|apr1|config-hash|opencontainers|bad key/);
  const shown = showLabels(labels);
  assert.deepEqual([shown['app.password'], shown['bad key']], ['[redacted]', 'x']);
  assert.deepEqual([announcedLabels(null), showLabels(undefined)], [{}, {}]);
});
