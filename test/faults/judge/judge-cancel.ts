import { awayMs } from './away.js';
import type { Accepted, Allowances, Life, Outcome } from './evidence.js';
import type { Finding } from './fault.js';
import type { Runs } from './ledger.js';

/** A cancel is told again and again, and may be lost a few times, but not for so long. */
const OBEY_MS = 60_000;

/**
 * A cancel that was taken has to be obeyed, and what was told as cancelled stays so. `parts` holds the lives of all
 * that a cancel passes through; while one of them is away nobody can obey.
 */
export function judgeCancel(
  { cancelTakenMs, isToldCancelled }: Accepted,
  { status, endMs = Number.NEGATIVE_INFINITY }: Outcome,
  { runs, parts, allowances }: Readonly<{ runs: Runs; parts: readonly (readonly Life[])[]; allowances: Allowances }>,
): Finding[] {
  const faults: Finding[] = [];
  if (isToldCancelled && status !== 'cancelled') faults.push(['undefined', `was told as cancelled and is ${status}`]);
  if (cancelTakenMs === undefined) return faults;
  const toMs = Math.max(endMs, ...runs.ends.map(({ atMs }) => atMs));
  const longerMs = toMs - cancelTakenMs - awayMs(parts, { fromMs: cancelTakenMs, toMs });
  if (longerMs > OBEY_MS + (allowances.linkDownMs ?? 0)) {
    faults.push(['undefined', `went on for ${Math.round(longerMs)} ms after its cancel had been taken`]);
  }
  return faults;
}
