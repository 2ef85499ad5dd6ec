import { setTimeout as wait } from 'node:timers/promises';
import type { Ask } from '../rig/load.js';
import type { Rig } from '../rig/rig.js';
import { settles } from '../rig/settles.js';

/** Of an agent that takes as much as so many callers ask for. */
export const SUBMIT_SETTINGS = { max_concurrent: 32 };

const CALLERS = 24;
/** Each fourth ask comes from two callers at once, as when one of them takes the other for dead. */
const TWIN_SHARE = 1 / 4;
const MAX_ANSWERS = 24;
const MAX_MOMENT_MS = 40;
const ANSWERS_MS = 100_000;

/** Many callers of whom each asks again as soon as it has an answer. */
export type SubmitLoad = Readonly<{
  /** Resolves in the middle of it: some answers from now on, and a moment of chance later. */
  someAnswers: () => Promise<void>;
  stop: () => Promise<void>;
}>;

/** The callers submit small asks, each with a key that is used again until there is an answer. */
export function keepSubmitting({ load }: Rig, random: () => number, label: () => string): SubmitLoad {
  const next = (): Ask => ({
    deed: { bytes: Math.floor(random() * 500) },
    twins: random() < TWIN_SHARE ? 1 : 0,
    label: label(),
  });
  const asking = load.keepAsking(next, CALLERS);
  return {
    stop: asking.stop,
    async someAnswers() {
      const wanted = load.accepted.length + 1 + Math.floor(random() * MAX_ANSWERS);
      const isAnswered = await settles(() => load.accepted.length >= wanted, ANSWERS_MS);
      if (!isAnswered) throw new Error('the controller does not take anything');
      await wait(random() * MAX_MOMENT_MS);
    },
  };
}
