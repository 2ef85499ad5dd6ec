import { setTimeout as delay } from 'node:timers/promises';
import { ExecutionView, InvocationAnswer } from '../controller/http/schemas.js';
import { ENDED_STATUSES } from '../controller/http/statuses.js';
import { isMusterError } from '../protocol/errors.js';
import type { Client } from './client.js';

/** An invocation and all of its executions, or what an integration answered. */
export type Outcome = InvocationAnswer & Readonly<{ executions: readonly ExecutionView[] }>;

/** How often a controller that went away is asked again, and for how long. */
const RETRY_MS = 1_000;
const MAX_RETRIES = 60;

/**
 * Waits until the invocation has ended; a controller that restarts meanwhile is waited for. `waitSeconds` is how long
 * each answer may be held back, `onState` sees each.
 * @throws {MusterError} cancelled (the signal fired), unavailable, not_found and what a call may throw
 */
export async function follow(
  client: Client,
  id: string,
  {
    waitSeconds,
    signal,
    onState,
  }: { waitSeconds: number; signal: AbortSignal; onState: (answer: InvocationAnswer) => void | Promise<void> },
): Promise<InvocationAnswer> {
  let failures = 0;
  for (;;) {
    try {
      const answer = await client.call(InvocationAnswer, { path: `/invocations/${id}`, waitSeconds, signal });
      failures = 0;
      await onState(answer);
      if (ENDED_STATUSES.has(answer.invocation.status)) return answer;
    } catch (error) {
      const isPassing = isMusterError(error, 'unavailable') || isMusterError(error, 'deadline_passed');
      failures += 1;
      if (!isPassing || failures > MAX_RETRIES) throw error;
      await delay(RETRY_MS, undefined, { signal }).catch(() => undefined); // the next call then says cancelled
    }
  }
}

/** One look at an invocation. */
export function look(client: Client, id: string): Promise<InvocationAnswer> {
  return client.call(InvocationAnswer, { path: `/invocations/${encodeURIComponent(id)}` });
}

/** Adds the executions when they were too many for the answer itself. */
export async function complete(client: Client, answer: InvocationAnswer): Promise<Outcome> {
  const { invocation, executions } = answer;
  if (executions !== undefined) return { ...answer, executions };
  return {
    invocation,
    executions: await client.list(ExecutionView, { path: `/invocations/${invocation.id}/executions` }),
  };
}
