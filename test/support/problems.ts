import assert from 'node:assert/strict';
import { Problem } from '../../controller/http/schemas.js';
import type { ErrorCode } from '../../protocol/errors.js';
import type { Answer } from './polling.js';

/** Asserts that an answer is a problem of this code; gives it. */
export async function assertProblemOf({ status, body }: Answer, expected: number, code: ErrorCode): Promise<Problem> {
  const problem = Problem.safeParse(body).data;
  assert.deepEqual([status, problem?.code], [expected, code], JSON.stringify(body));
  return Problem.parse(body);
}
