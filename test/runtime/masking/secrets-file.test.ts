import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLogger } from '../../../runtime/logger.js';
import { createSecrets } from '../../../runtime/masking/mask.js';
import { followSecretsFile, readSecretsFile } from '../../../runtime/masking/secrets-file.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

function fileOf(directory: string, text: string, mode = 0o600): string {
  const file = join(directory, 'secrets');
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

test('a file names one value a line, whatever stands in it', (t) => {
  const file = fileOf(temporaryDirectory(t), '# ours\n\ndb: pa: ss # word\r\n  api-key:   "quoted value"\n');

  assert.deepEqual(readSecretsFile(file), ['pa: ss # word', '"quoted value"']);
});

test('a directory holds one value in each file, also of several lines', (t) => {
  const directory = temporaryDirectory(t);
  chmodSync(directory, 0o700);
  writeFileSync(join(directory, 'db'), 'first-value\n');
  writeFileSync(join(directory, 'key'), 'line one of it\nline two of it\n\n');
  writeFileSync(join(directory, '.hidden'), 'short');
  mkdirSync(join(directory, 'deeper'));

  assert.deepEqual(readSecretsFile(directory).sort(), ['first-value', 'line one of it\nline two of it\n']);
});

test('promise 22: a file that cannot be used is refused with every reason, and without a value', (t) => {
  const file = fileOf(temporaryDirectory(t), 'pin: 1234567\nhunter2-hunter2\nnext: long-enough\n', 0o644);

  assert.throws(
    () => readSecretsFile(file),
    (error: Error) => {
      assert.match(error.message, /config_invalid|cannot be used/);
      assert.match(error.message, /others than its owner may use it: chmod 600/);
      assert.match(error.message, /pin is shorter than 8 characters/);
      assert.match(error.message, /line 2 is not of the form name: value/);
      assert.doesNotMatch(error.message, /1234567|hunter2|long-enough/);
      return true;
    },
  );
  assert.throws(() => readSecretsFile(join(file, 'nothing')), { code: 'config_invalid' });
});

test('values that would take more memory than a device has are refused', (t) => {
  const directory = temporaryDirectory(t);
  chmodSync(directory, 0o700);
  for (const name of ['a', 'b', 'c']) writeFileSync(join(directory, name), name.repeat(60_000));

  assert.throws(() => readSecretsFile(directory), /its values have 180000 bytes; at most 131072 are taken/);
});

test('a change is taken within seconds, and a faulty one leaves what was', async (t) => {
  const lines: string[] = [];
  const secrets = createSecrets();
  const log = createLogger('agent', { mask: secrets.mask, destination: { write: (line) => void lines.push(line) } });
  const directory = temporaryDirectory(t);
  const file = fileOf(directory, 'db: first-value\n');
  t.after(followSecretsFile(file, secrets, log));
  assert.equal(secrets.mask.text('first-value'), '[redacted]');

  fileOf(directory, 'db: second-value\n');
  await until(() => secrets.mask.text('second-value') === '[redacted]', { what: 'the new value is masked' });
  fileOf(directory, 'db: 1234567\n');
  await until(() => lines.some((line) => line.includes('not read')), { what: 'the faulty file is told of' });

  assert.equal(secrets.mask.text('second-value'), '[redacted]');
  assert.doesNotMatch(lines.join(''), /second-value|1234567/);
});

test('promise 22: a line of the log holds no registered value, and is JSON', () => {
  const lines: string[] = [];
  const secrets = createSecrets();
  const log = createLogger('agent', { mask: secrets.mask, destination: { write: (line) => void lines.push(line) } });
  secrets.register('test', ['nabcdefgh', 'a "quoted" value']);

  log.child({ who: 'a "quoted" value' }).warn({ err: new Error('line\nabcdefgh nabcdefgh') }, 'not done');

  const { who, err, msg } = JSON.parse(lines[0] ?? '');
  assert.deepEqual(
    { who, msg, message: err.message },
    { who: '[redacted]', msg: 'not done', message: 'line\nabcdefgh [redacted]' },
  );
  assert.ok(lines[0]?.endsWith('}\n'));
});
