import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { journalRequest, openTestJournal } from '../../support/journal.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const PIECES = ['first', 'second', 'third'].map((text) => Buffer.from(text));
const RECORD_HEADER_BYTES = 20;

for (const [what, harm, left] of [
  ['nobody touched', (bytes: Buffer) => bytes, 3],
  ['one bit was altered in its second piece', (bytes: Buffer) => flip(bytes, bytes.indexOf('second')), 1],
  ['a check was altered', (bytes: Buffer) => flip(bytes, bytes.indexOf('third') - 1), 2],
  ['a length was altered', (bytes: Buffer) => flip(bytes, bytes.indexOf('second') - RECORD_HEADER_BYTES), 1],
  ['the end was cut off', (bytes: Buffer) => bytes.subarray(0, -1), 2],
  ['the end is zeros', (bytes: Buffer) => bytes.fill(0, bytes.indexOf('second') - RECORD_HEADER_BYTES), 1],
  ['the first piece was taken out', (bytes: Buffer) => bytes.subarray(RECORD_HEADER_BYTES + 5), 0],
] as const) {
  test(`kept output that ${what} gives ${left} of its three pieces, and none that is not its own`, async (t) => {
    const { journal, id, file } = await keep(t);

    writeFileSync(file, harm(readFileSync(file)));

    assert.deepEqual([...journal.outputOf(id)], PIECES.slice(0, left));
    assert.deepEqual([...journal.outputOf(id, 2)], PIECES.slice(2, left));
  });
}

test('kept output whose file is gone, or belongs to another execution, gives nothing', async (t) => {
  const [one, other] = [await keep(t), await keep(t)];

  writeFileSync(one.file, readFileSync(other.file));
  rmSync(other.file);

  assert.deepEqual([...one.journal.outputOf(one.id)], []);
  assert.deepEqual([...other.journal.outputOf(other.id)], []);
});

function flip(bytes: Buffer, at: number): Buffer {
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  return bytes;
}

async function keep(t: Parameters<typeof openTestJournal>[0]) {
  const directory = temporaryDirectory(t);
  const journal = await openTestJournal(t, directory);
  const request = journalRequest();
  await journal.accept(request);
  await journal.finish(request.id, Buffer.from('{}'), PIECES);
  return { journal, id: request.id, file: join(directory, 'output', request.id) };
}
