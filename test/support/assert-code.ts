import assert from 'node:assert/strict';
import { type ErrorCode, isMusterError, type MusterError } from '../../protocol/errors.js';

/** Asserts that the call throws a MusterError of this code; gives the error. */
export function assertThrowsCode(call: () => unknown, code: ErrorCode): MusterError {
  try {
    call();
  } catch (error) {
    return assertCode(error, code);
  }
  return assert.fail(`nothing was thrown, ${code} was expected`);
}

/** Asserts that the promise rejects with a MusterError of this code; gives the error. */
export async function assertRejectsCode(work: Promise<unknown>, code: ErrorCode): Promise<MusterError> {
  try {
    await work;
  } catch (error) {
    return assertCode(error, code);
  }
  return assert.fail(`nothing was thrown, ${code} was expected`);
}

function assertCode(error: unknown, code: ErrorCode): MusterError {
  if (!isMusterError(error)) throw error;
  assert.equal(error.code, code, error.message);
  return error;
}
