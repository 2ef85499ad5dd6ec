import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { createCanary, findLeaks } from './canary.js';

test('a secret is found as text, in hex, and in base64 wherever it stands', (t) => {
  const { secret } = createCanary();
  const ways: Readonly<Record<string, string>> = {
    text: `{"msg":"${secret}"}`,
    hex: Buffer.from(`a${secret}`).toString('hex'),
    upper: Buffer.from(secret).toString('hex').toUpperCase(),
    ...Object.fromEntries(
      ['', 'a', 'ab', 'abc'].map((before) => [
        `base64-${before}`,
        Buffer.from(`${before}${secret}"}`).toString(before === 'a' ? 'base64' : 'base64url'),
      ]),
    ),
  };
  for (const [name, content] of Object.entries(ways)) {
    const directory = temporaryDirectory(t);
    writeFileSync(join(directory, 'innocent'), 'nothing');
    writeFileSync(join(directory, name), `before ${content} after`);

    assert.deepEqual(findLeaks(directory, [secret]), [join(directory, name)]);
  }
});

test('no two runs have the same canary', () => {
  const [one, other] = [createCanary(), createCanary()];

  assert.notEqual(one.digits, other.digits);
  assert.notEqual(one.secret, other.secret);
});
