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

test('each kind of call has its turn when points are chosen', () => {
  const writes = Array.from({ length: 50 }, (_, at) => ({ call: 'write', nth: at + 1 }));
  const chosen = choosePoints([...writes, { call: 'rename', nth: 1 }], 6, () => 0.5);

  assert.equal(chosen.filter(({ call }) => call === 'rename').length, 3);
  const distinct = new Set(chosen.filter(({ call }) => call === 'write').map(({ nth }) => nth));
  assert.equal(distinct.size, 3);
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
