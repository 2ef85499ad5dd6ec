import { type Verdict, verdictOf, withFaults } from '../judge/checker.js';
import type { Allowances } from '../judge/evidence.js';
import { judgeRecords } from '../judge/judge-records.js';
import { readRecords } from '../judge/records.js';
import type { Load } from '../rig/load.js';
import type { Rig } from '../rig/rig.js';

/** Ends a rig and judges it as always, and what its controller has left in the store beside it. */
export async function judgeWithRecords(rig: Rig, allowances?: Allowances): Promise<Verdict> {
  const verdict = await rig.judge(allowances);
  const { accepted, told } = rig.load;
  const records = await readRecords(rig.store, rig.controllerDir);
  const ids = new Set(accepted.map(({ invocationId }) => invocationId));
  return withFaults(verdict, judgeRecords(records, { invocations: told, accepted: ids }));
}

/** The verdict on a controller that cannot start any more: nobody can learn what became of anything. */
export function judgeGone({ accepted }: Load): Verdict {
  const faults = accepted.map(({ executionId, label }) => ({
    ...{ kind: 'lost' as const, sentence: `${executionId} (${label}) is behind a controller that does not start` },
  }));
  return verdictOf(accepted.length, faults);
}
