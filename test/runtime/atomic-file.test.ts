import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeFileAtomic } from '../../runtime/atomic-file.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

test('a file is replaced as a whole, for its owner alone, and nothing is left beside it', (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'identity.json');
  writeFileAtomic(file, 'old content that is longer');

  writeFileAtomic(file, 'new ✓');

  assert.equal(readFileSync(file, 'utf8'), 'new ✓');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(directory), ['identity.json']);
});

test('the mode that is asked for is the one that the file gets', (t) => {
  const file = join(temporaryDirectory(t), 'public.json');
  writeFileAtomic(file, '{}', 0o644);
  chmodSync(file, 0o640);

  writeFileAtomic(file, '{}', 0o644);

  assert.equal(statSync(file).mode & 0o777, 0o644 & ~process.umask());
});

test('a write that fails leaves no temporary file behind', (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'taken', 'inside'), { recursive: true });

  assert.throws(() => writeFileAtomic(join(directory, 'taken'), 'x'));

  assert.deepEqual(readdirSync(directory), ['taken']);
});
