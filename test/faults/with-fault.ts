import type { Verdict } from './checker.js';

/** A verdict with a fault that only the scenario itself could see. */
export function withFault(verdict: Verdict, sentence: string): Verdict {
  return { ...verdict, faults: [...verdict.faults, sentence] };
}
