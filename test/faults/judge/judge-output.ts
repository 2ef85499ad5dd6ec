import type { Accepted, Outcome } from './evidence.js';
import type { Finding } from './fault.js';
import { outputOf, type Runs } from './ledger.js';

/** `agent.max_output_bytes` of the agents under test. */
const MAX_OUTPUT_BYTES = 1024 * 1024;
/** The hook prints everything right after its first line; so much later it has, also on a busy machine. */
const PRINT_MS = 500;

/**
 * The output of a program that somebody ended: all of it when it had the time to print it, or else its beginning; none
 * of one that never started.
 */
export function judgeOutputOfEnded(accepted: Accepted, outcome: Outcome, { starts }: Runs): Finding[] {
  const [start] = starts;
  if (start === undefined) return judgeOutput(accepted, outcome, 'none');
  const hadTime = outcome.endMs !== undefined && outcome.endMs >= start.atMs + PRINT_MS;
  return judgeOutput(accepted, outcome, hadTime ? 'all' : 'beginning');
}

/**
 * What the controller hands out has to be what the program printed: its beginning when the program was ended, and nothing
 * when it never began.
 */
export function judgeOutput(
  { executionId, deed }: Accepted,
  { status, stdout }: Outcome,
  expected: 'all' | 'beginning' | 'none',
): Finding[] {
  if (stdout === undefined) return [['lost', `ended as ${status}, and its output is not there`]];
  if (!stdout.complete) return [['lost', 'has output that did not arrive']];
  const printed = expected === 'none' ? Buffer.alloc(0) : outputOf(executionId, deed.bytes);
  const { bytes, truncated } = stdout;
  if (truncated && printed.length <= MAX_OUTPUT_BYTES) return [['undefined', 'says that output was dropped']];
  const isRight =
    expected === 'all' && !truncated
      ? bytes.equals(printed)
      : bytes.length <= printed.length && bytes.equals(printed.subarray(0, bytes.length));
  return isRight ? [] : [['undefined', `has ${bytes.length} bytes of output that the program did not print so`]];
}
