import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codesOf, ERROR_CODES, type ErrorCode, isMusterError, MusterError } from '../../protocol/errors.js';
import { REJECTION_REASONS } from '../../protocol/messages/ack.js';
import { ErrorCodeText } from '../../protocol/messages/result.js';

const CODES = Object.keys(ERROR_CODES) as ErrorCode[];

test('every code is snake_case and says what it means and what to do', () => {
  for (const code of CODES) {
    assert.ok(ErrorCodeText.safeParse(code).success, code);
    assert.ok(ERROR_CODES[code].meaning.length > 10 && ERROR_CODES[code].next.length > 5, code);
    assert.doesNotMatch(ERROR_CODES[code].next, /\.$/, code);
  }
});

test('a code has an HTTP status exactly when the API speaks it', () => {
  for (const code of CODES) {
    const entry: { voices: readonly string[]; http?: number } = ERROR_CODES[code];
    assert.equal(entry.voices.includes('api'), entry.http !== undefined, code);
    if (entry.http !== undefined) assert.ok(entry.http >= 400 && entry.http < 600, code);
  }
});

test('the reasons of an ack are the codes that the table gives to acks', () => {
  assert.deepEqual([...REJECTION_REASONS].sort(), codesOf('ack').sort());
});

test('a MusterError carries its code, its cause and whether to try again', () => {
  const cause = new Error('ENOSPC');
  const error = new MusterError('storage_failed', 'no space', { cause });

  assert.equal(error.message, 'no space');
  assert.equal(error.cause, cause);
  assert.equal(error.retryable, true);
  assert.ok(isMusterError(error));
  assert.ok(isMusterError(error, 'storage_failed'));
  assert.equal(isMusterError(error, 'expired'), false);
  assert.equal(isMusterError(cause), false);
});
