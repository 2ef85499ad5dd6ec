// Runs built test files on node:test, three at a time in the order in which they are named (`node --test` sorts them),
// and counts them into a file: node scripts/run-tests.js TALLY FILE…
import { createWriteStream } from 'node:fs';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { tally } from './test-tally.js';

const FILE_TIMEOUT_MS = 180_000;

const [tallyFile, ...files] = process.argv.slice(2);
const events = run({ files, concurrency: 3, timeout: FILE_TIMEOUT_MS });
events.on('test:fail', () => {
  process.exitCode = 1;
});
events.compose(new spec()).pipe(process.stdout);
events.compose(tally).pipe(createWriteStream(tallyFile));
