import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { generatedFiles } from './generate/files.js';

// Writes every document that is made from the code; with --check it compares instead and names what is stale.

const { values: flags } = parseArgs({ options: { check: { type: 'boolean' }, root: { type: 'string' } } });
const root = flags.root ?? fileURLToPath(new URL('..', import.meta.url));
const files = await generatedFiles((path) => readFileSync(join(root, path), 'utf8'));
const stale = [...files].filter(([path, text]) => read(path) !== text).map(([path]) => path);
const leftOver = schemaFiles().filter((path) => !files.has(path));

if (flags.check === true) {
  for (const path of stale) process.stderr.write(`stale: ${path}\n`);
  for (const path of leftOver) process.stderr.write(`left over: ${path}\n`);
  if (stale.length + leftOver.length > 0) {
    process.stderr.write('What to do: npm run generate, then commit.\n');
    process.exitCode = 1;
  }
} else {
  for (const path of stale) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), files.get(path) ?? '');
  }
  for (const path of leftOver) rmSync(join(root, path));
  process.stdout.write(`${files.size} files, ${stale.length + leftOver.length} changed\n`);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return undefined;
  }
}

/** The schema of a message that is gone would otherwise stay for ever. */
function schemaFiles(): string[] {
  const directory = join(root, 'docs/reference/schemas');
  try {
    return readdirSync(directory).map((name) => relative(root, join(directory, name)));
  } catch {
    return [];
  }
}
