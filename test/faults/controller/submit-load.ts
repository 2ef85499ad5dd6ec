import { setTimeout as wait } from 'node:timers/promises';
import type { Fault } from '../judge/fault.js';
import { type Ask, AskRefused, type Busy } from '../rig/load.js';
import type { Rig } from '../rig/rig.js';
import { settles } from '../rig/settles.js';

/** Of an agent that takes as much as so many callers ask for. */
export const SUBMIT_SETTINGS = { max_concurrent: 32 };

const CALLERS = 24;
/** Those who wait for the end of what they asked for look for it all the time. */
const WAITING_CALLERS = 8;
/** Each fourth ask comes from two callers at once, as when one of them takes the other for dead. */
const TWIN_SHARE = 1 / 4;
const MAX_ANSWERS = 24;
const MAX_MOMENT_MS = 40;
const ANSWERS_MS = 100_000;

/** Many callers of whom each asks again as soon as it has an answer. */
export type SubmitLoad = Readonly<{
  /**
   * Resolves in the middle of it: some answers from now on, and a moment of chance later; at once when a caller was
   * refused.
   */
  someAnswers: () => Promise<void>;
  /** Resolves when the last caller has its answer; a fault is that one of them was refused. */
  stop: () => Promise<Fault[]>;
}>;

/** How callers differ from the usual. */
export type SubmitOptions = Readonly<{
  random: () => number;
  /** Where in the scenario it is. */
  label: () => string;
  /** True for callers who ask for more only when what they asked for is over, so that never much is open. */
  waitForEnds?: boolean;
}>;

/** The callers submit small asks, each with a key that is used again until there is an answer. */
export function keepSubmitting({ load }: Rig, { random, label, waitForEnds = false }: SubmitOptions): SubmitLoad {
  const next = (): Ask => ({
    deed: { bytes: Math.floor(random() * 500) },
    twins: random() < TWIN_SHARE ? 1 : 0,
    label: label(),
  });
  const asking = waitForEnds ? load.keepBusy(next, WAITING_CALLERS) : load.keepAsking(next, CALLERS);
  return {
    stop: () => stopped(asking),
    async someAnswers() {
      const wanted = load.accepted.length + 1 + Math.floor(random() * MAX_ANSWERS);
      const isEnough = (): boolean => load.accepted.length >= wanted || asking.hasFailed();
      if (!(await settles(isEnough, ANSWERS_MS))) throw new Error('the controller does not take anything');
      await wait(random() * MAX_MOMENT_MS);
    },
  };
}

async function stopped(asking: Busy): Promise<Fault[]> {
  try {
    await asking.stop();
    return [];
  } catch (error) {
    if (!(error instanceof AskRefused)) throw error;
    return [{ kind: 'other', sentence: error.message }];
  }
}
