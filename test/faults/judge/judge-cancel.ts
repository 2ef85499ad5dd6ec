import type { Accepted, Outcome } from './evidence.js';
import type { Finding } from './fault.js';
import type { Runs } from './ledger.js';

/** Links and processes that are down hold up a cancel, but not for so long. */
const OBEY_MS = 60_000;

/** A cancel that was taken has to be obeyed, and what was told as cancelled stays so. */
export function judgeCancel(
  { cancelTakenMs, isToldCancelled }: Accepted,
  { status }: Outcome,
  { ends }: Runs,
): Finding[] {
  const faults: Finding[] = [];
  if (isToldCancelled && status !== 'cancelled') faults.push(['undefined', `was told as cancelled and is ${status}`]);
  for (const { atMs } of ends) {
    const longerMs = Math.round(atMs - (cancelTakenMs ?? Number.POSITIVE_INFINITY));
    if (longerMs > OBEY_MS) faults.push(['undefined', `went on for ${longerMs} ms after its cancel had been taken`]);
  }
  return faults;
}
