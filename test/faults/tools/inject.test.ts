import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { injectInto, lacksInjection } from './inject.js';

const SYNCS = `
const fs = require('node:fs');
const file = fs.openSync(process.argv[1], 'w');
process.stdin.on('data', () => {
  try { fs.fdatasyncSync(file); console.log('synced'); } catch (error) { console.log(error.code); }
});
console.log('ready');`;

test('calls of a running process fail where they are told to, and no more once it is left alone', async (t) => {
  const lacks = lacksInjection();
  if (lacks !== undefined) return t.skip(lacks);
  const directory = temporaryDirectory(t);
  const args = ['-e', SYNCS, join(directory, 'file')];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  const ask = (): Promise<string> => {
    child.stdin.write('?');
    return next();
  };
  assert.equal(await next(), 'ready');

  const rule = { calls: 'fdatasync', error: 'EIO', when: '2..3' } as const;
  const injected = await injectInto(child.pid ?? 0, rule, join(directory, 'calls'));
  const ends = [await ask(), await ask(), await ask(), await ask()];
  await injected.detach();

  assert.deepEqual(ends, ['synced', 'EIO', 'EIO', 'synced']);
  assert.equal(injected.count(), 2);
  assert.equal(await ask(), 'synced');
});
