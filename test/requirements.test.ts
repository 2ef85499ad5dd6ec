import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { sourceFiles } from './support/source-files.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What is claimed, and of that what no test shows, with the reason. */
const Requirements = z.strictObject({
  rows: z.array(z.string()),
  not_shown: z.record(z.string(), z.string().min(1)),
});

const { rows, not_shown } = Requirements.parse(JSON.parse(readFileSync(join(ROOT, 'test/requirements.json'), 'utf8')));
const CLAIMED = rowsIn(rows.join(', '));
const NAMED = new Set(
  sourceFiles(ROOT)
    .filter((file) => file.endsWith('.test.ts') && file !== 'test/requirements.test.ts')
    .flatMap((file) => titleRowsOf(readFileSync(join(ROOT, file), 'utf8'))),
);

test('every requirement that is claimed is named by the title of a test, or stands in the list with the reason', () => {
  const missing = CLAIMED.filter((row) => !NAMED.has(row) && !Object.hasOwn(not_shown, row));
  assert.deepEqual(missing, []);
});

test('what stands in the list as not shown is claimed, and no test shows it', () => {
  const stale = Object.keys(not_shown).filter((row) => NAMED.has(row) || !CLAIMED.includes(row));
  assert.deepEqual(stale, []);
});

test('ranges, lists and titles made from a table are read', () => {
  assert.deepEqual(rowsIn('P-3…P-5, S-P-7: a fact'), ['P-3', 'P-4', 'P-5', 'S-P-7']);
  assert.deepEqual(titleRowsOf("test('P-1: one', () => {});\n// P-2\nconst text = 'P-3';"), ['P-1']);
  const table = ["for (const [what] of [['S-P-4: four', 'P-9 in the middle']])", `test(\`P-5: \${what}\`, () => {});`];
  assert.deepEqual(titleRowsOf(table.join('\n')), ['P-5', 'S-P-4']);
});

/** The rows in the titles of a file; a title with a hole is filled from the file's strings that begin with a row. */
function titleRowsOf(source: string): string[] {
  const titles = [...source.matchAll(/\btest\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g)].map(([, , title = '']) => title);
  const isFilled = titles.some((title) => /\$\{/.test(title));
  const fillings = isFilled ? [...source.matchAll(/(?<!test\(\s*)(['"])((?:S-)?[PMFDA]-\d+[^'"\n]*)\1/g)] : [];
  const heads = fillings.map(([, , text = '']) => text).filter((text) => /^[SPMFDA\d…, -]+(:|$)/.test(text));
  return [...titles, ...heads.map((text) => text.split(':', 1)[0] ?? '')].flatMap(rowsIn);
}

/** `P-3…P-5, S-P-7` → each of them. */
function rowsIn(text: string): string[] {
  const ranges = text.matchAll(/(?<![A-Za-z])((?:S-)?[PMFDA]-)(\d+)(?:…\1(\d+))?/g);
  return [...ranges].flatMap(([, prefix = '', first = '', last = first]) =>
    Array.from({ length: Number(last) - Number(first) + 1 }, (_, index) => `${prefix}${Number(first) + index}`),
  );
}
