import { sha256Hex } from '../../protocol/envelope.js';
import type { Result } from '../../protocol/messages/result.js';

type Outcome = Pick<Result, 'exit_code' | 'stdout_sha256' | 'stdout_truncated' | 'stderr_sha256' | 'stderr_truncated'> &
  Readonly<{ error_code?: string | undefined }>;

/** The columns of a result by which like ones are found. The output is known by what was captured of both streams. */
export function outcomeColumns(result: Outcome): {
  exit_code: number;
  error_code: string | null;
  output_sha256: string;
} {
  const { exit_code, error_code = null, stdout_sha256, stdout_truncated, stderr_sha256, stderr_truncated } = result;
  const output = JSON.stringify([stdout_sha256, stdout_truncated, stderr_sha256, stderr_truncated]);
  return { exit_code, error_code, output_sha256: sha256Hex(output) };
}
