import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ERROR_CODES } from '../protocol/errors.js';
import { sourceFiles } from './support/source-files.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** These name codes without showing that anybody speaks them. */
const LISTS = ['test/error-codes.test.ts', 'test/runtime/exit-codes.test.ts', 'test/protocol/errors.test.ts'];

/** Code → why no test asserts it. */
const NOT_ASSERTED: Readonly<Record<string, string>> = {};

/** Code → why no part speaks it. */
const NOT_SPOKEN: Readonly<Record<string, string>> = {};

const FILES = sourceFiles(ROOT);
const read = (files: readonly string[]): string =>
  files.map((file) => readFileSync(join(ROOT, file), 'utf8')).join('\n');
const TESTS = read(
  FILES.filter((file) => file.startsWith('test/') && !file.startsWith('test/bench/') && !LISTS.includes(file)),
);
const SOURCE = read(FILES.filter((file) => !/^(test|scripts|deploy)\//.test(file) && file !== 'protocol/errors.ts'));

const isNamed = (text: string, code: string): boolean => new RegExp(`['"\`]${code}['"\`]`).test(text);

test('every error code is asserted by a test, or stands here with the reason', () => {
  const missing = Object.keys(ERROR_CODES).filter((code) => !isNamed(TESTS, code));
  assert.deepEqual(missing.sort(), Object.keys(NOT_ASSERTED).sort());
});

test('every error code is spoken by a part, or stands here with the reason', () => {
  const missing = Object.keys(ERROR_CODES).filter((code) => !isNamed(SOURCE, code));
  assert.deepEqual(missing.sort(), Object.keys(NOT_SPOKEN).sort());
});
