import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readWebhooksFile } from '../../../controller/webhooks/webhooks-file.js';
import { isMusterError } from '../../../protocol/errors.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const GOOD = {
  name: 'pager',
  url: 'https://hooks.example/muster',
  events: ['node_offline'],
  secret_file: 'pager.secret',
};

test('webhooks are read with their secrets, which may lie beside the file', (t) => {
  const { file } = writeFiles(temporaryDirectory(t), {
    webhooks: [
      { ...GOOD, allow: ['10.0.0.0/8'] },
      { ...GOOD, name: 'chat' },
    ],
  });

  const [pager, chat] = readWebhooksFile(file);

  const { secret_file: _, ...shown } = GOOD;
  assert.deepEqual(pager, { ...shown, allow: ['10.0.0.0/8'], secret: 'sixteen bytes or more' });
  assert.deepEqual([chat?.name, chat?.allow], ['chat', []]);
});

test('a file that is wrong is refused at the start, and every fault of it is named', (t) => {
  const directory = temporaryDirectory(t);
  for (const [webhooks, fault] of [
    [[{ ...GOOD, url: 'ftp://hooks.example' }], /url/],
    [[{ ...GOOD, url: 'https://ann:secret@hooks.example' }], /must not hold a user or a password/],
    [[{ ...GOOD, events: [] }], /events/],
    [[{ ...GOOD, events: ['login'] }], /events/],
    [[{ ...GOOD, allow: ['10.0.0.0/40'] }], /must be a network/],
    [[{ ...GOOD, colour: 'red' }], /colour/],
    [[GOOD, GOOD], /a name twice/],
    [[{ ...GOOD, secret_file: 'missing' }], /missing cannot be read \(ENOENT\)/],
    [[{ ...GOOD, secret_file: 'short.secret' }], /the secret of pager is shorter than 16 bytes/],
    ['none', /webhooks/],
  ] as const) {
    const { file } = writeFiles(directory, { webhooks });
    assert.throws(
      () => readWebhooksFile(file),
      (error: unknown) => isMusterError(error, 'config_invalid') && fault.test(error.message),
      String(fault),
    );
  }
});

function writeFiles(directory: string, content: unknown): { file: string } {
  const file = join(directory, 'webhooks.yaml');
  writeFileSync(file, JSON.stringify(content));
  writeFileSync(join(directory, 'pager.secret'), 'sixteen bytes or more\n');
  writeFileSync(join(directory, 'short.secret'), 'fifteen bytes..\n');
  return { file };
}
