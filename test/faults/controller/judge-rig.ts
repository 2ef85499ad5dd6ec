import { type Verdict, withFaults } from '../judge/checker.js';
import type { Allowances } from '../judge/evidence.js';
import { judgeRecords } from '../judge/judge-records.js';
import { readRecords } from '../judge/records.js';
import type { Rig } from '../rig/rig.js';

/** Ends a rig and judges it as always, and what its controller has left in the store beside it. */
export async function judgeWithRecords(rig: Rig, allowances?: Allowances): Promise<Verdict> {
  const verdict = await rig.judge(allowances);
  const { accepted, told } = rig.load;
  const records = await readRecords(rig.store, rig.controllerDir);
  const ids = new Set(accepted.map(({ invocationId }) => invocationId));
  return withFaults(verdict, judgeRecords(records, { invocations: told, accepted: ids }));
}
