import type { Verdict } from './checker.js';

/** A verdict with what a scenario saw go wrong by itself, beside what the evidence shows. */
export function addFaults(verdict: Verdict, seen: readonly string[]): Verdict {
  return { ...verdict, faults: [...verdict.faults, ...seen] };
}
