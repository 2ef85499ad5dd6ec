import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { choosePoints, crashPointsIn, dieAt, hasKilled, lacksStrace } from './strace.js';

const TRACE = `10 openat(AT_FDCWD, "/lib/x", O_RDONLY) = 3
10 openat(AT_FDCWD, "/data/journal", O_RDWR <unfinished ...>
11 fdatasync(20 <unfinished ...>
10 <... openat resumed>) = 4
99 write(1, "a hook", 6) = 6
11 <... fdatasync resumed>) = 0
11 fdatasync(20) = 0
10 +++ exited with 0 +++
`;

test('crash points are counted by thread and call, and taken from a line on', () => {
  assert.deepEqual(crashPointsIn(TRACE, { threads: [10, 11], from: '/data' }), [
    { call: 'openat', nth: 2 },
    { call: 'fdatasync', nth: 1 },
    { call: 'fdatasync', nth: 2 },
  ]);
  assert.equal(crashPointsIn(TRACE, { threads: [10, 11, 99] }).length, 5);
});

test('each kind of call has its turn when points are chosen, and each point comes once before any comes twice', () => {
  const writes = Array.from({ length: 50 }, (_, at) => ({ call: 'write', nth: at + 1 }));
  const points = [...writes, { call: 'rename', nth: 1 }];
  const distinct = (count: number): number =>
    new Set(choosePoints(points, count, () => 0.5).map(({ call, nth }) => `${call} ${nth}`)).size;

  assert.deepEqual(
    choosePoints(points, 2, () => 0.5).map(({ call }) => call),
    ['write', 'rename'],
  );
  assert.equal(distinct(51), 51);
  assert.equal(choosePoints(points, 60, () => 0.5).length, 60);
  assert.deepEqual(
    choosePoints([], 6, () => 0.5),
    [],
  );
});

test('a program dies at the nth call of its kind', async (t) => {
  const reason = await lacksStrace();
  if (reason !== undefined) return t.skip(reason);
  const directory = temporaryDirectory(t);
  const traceFile = join(directory, 'trace');
  const script = `const fs = require('node:fs'); for (let n = 1; n <= 9; n += 1) {
    fs.mkdirSync('${directory}/' + n); process.stdout.write(String(n)); }`;
  const [file = '', ...args] = dieAt({ call: 'mkdir', nth: 4 }, traceFile)([process.execPath, '-e', script]);
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  let printed = '';
  child.stdout.on('data', (bytes: Buffer) => {
    printed += bytes.toString();
  });

  const [, signal] = await once(child, 'close');

  assert.deepEqual({ signal, printed }, { signal: 'SIGKILL', printed: '123' });
  assert.ok(hasKilled(traceFile));
});
