import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assembleOutput } from '../../../controller/invocations/output.js';
import { sha256Hex } from '../../../protocol/envelope.js';
import type { Result } from '../../../protocol/messages/result.js';

const ID = '0197f0c2-9f5c-7b31-8e4a-6a0d5f1c2b3d';
const TEXT = 'what the action printed';

test('output is complete only when its length and its SHA-256 are the signed ones', () => {
  const pieces = [piece(0, TEXT.slice(0, 10)), piece(10, TEXT.slice(10))];
  const forged = [piece(0, 'x'.repeat(10)), piece(10, TEXT.slice(10))];
  const complete = (held: typeof pieces, result: Result | undefined) =>
    assembleOutput('stdout', { pieces: held, result }).complete;

  assert.equal(complete(pieces, resultOf('')), true);
  assert.equal(complete(forged, resultOf('')), false);
  assert.equal(complete(pieces.slice(0, 1), resultOf('')), false);
  assert.equal(complete([], resultOf(TEXT)), true);
  assert.equal(complete([], resultOf(TEXT.toUpperCase())), false);
  assert.equal(complete(pieces, { ...resultOf(''), stdout_truncated: true }), false);
  assert.equal(complete(pieces, undefined), false);
});

test('a result that holds all of the output wins over pieces that do not agree with it', () => {
  const output = assembleOutput('stdout', { pieces: [piece(0, 'x'.repeat(TEXT.length))], result: resultOf(TEXT) });

  assert.deepEqual([output.bytes.toString(), output.complete], [TEXT, true]);
});

function piece(offset: number, data: string) {
  const key = { execution_id: ID, node: 'pump-1', seq: offset, stream: 'stdout' };
  return { ...key, offset, data, encoding: 'utf-8', last: 0, sealed: null, octets: null };
}

function resultOf(stdout: string): Result {
  return {
    ...{ v: 1, execution_id: ID, node: 'pump-1', org: 'default', boot_id: ID, process_id: ID },
    ...{ request_sha256: '0'.repeat(64), status: 'success', exit_code: 0, stdout, stderr: '' },
    ...{ stdout_encoding: 'utf-8', stderr_encoding: 'utf-8', stdout_bytes: TEXT.length, stderr_bytes: 0 },
    ...{ stdout_sha256: sha256Hex(TEXT), stderr_sha256: sha256Hex('') },
    ...{ stdout_truncated: false, stderr_truncated: false, chunks: 0, duration: '5ms', duration_ms: 5 },
    finished_at: '2026-01-01T00:00:00.000Z',
  };
}
