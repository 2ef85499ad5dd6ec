import type { OpenExecution } from './open-executions.js';

/**
 * Broadcasts whose answers still come in. Thousands of nodes answer for longer than the first back-off lasts: an offer to
 * one that has not had its turn would be work for everybody, and would be answered with a rejection.
 */
export type Waves = Readonly<{
  /** These were offered by one publish. Times are monotonic milliseconds. */
  begin: (executions: readonly OpenExecution[], nowMs: number) => void;
  /** A node has answered. */
  answered: (execution: OpenExecution, nowMs: number) => void;
  /** The node said hello since: it is offered what it lacks without regard to the others. */
  leave: (execution: OpenExecution) => void;
  /** Until then others of its broadcast may answer, so that its own answer may be on its way; 0 when it is in none. */
  rollsUntilMs: (execution: OpenExecution) => number;
}>;

type Wave = { readonly begunMs: number; readonly silenceMs: number; answeredMs: number };

/** When nobody has answered for so long, who has not answered did not hear it: the more were asked, the slower it begins. */
const SILENCE_MS = 2_000;
const SILENCE_MS_PER_NODE = 2;
/** The longest back-off: answers of others delay an offer no longer. */
const MAX_ROLLING_MS = 30_000;

export function createWaves(): Waves {
  const waves = new WeakMap<OpenExecution, Wave>();
  return {
    begin(executions, nowMs) {
      const silenceMs = SILENCE_MS + executions.length * SILENCE_MS_PER_NODE;
      const wave = { begunMs: nowMs, silenceMs, answeredMs: nowMs };
      for (const execution of executions) waves.set(execution, wave);
    },
    answered(execution, nowMs) {
      const wave = waves.get(execution);
      if (wave !== undefined) wave.answeredMs = nowMs;
    },
    leave(execution) {
      waves.delete(execution);
    },
    rollsUntilMs(execution) {
      const wave = waves.get(execution);
      return wave === undefined ? 0 : Math.min(wave.begunMs + MAX_ROLLING_MS, wave.answeredMs + wave.silenceMs);
    },
  };
}
