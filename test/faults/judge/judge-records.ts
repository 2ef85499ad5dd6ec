import type { Fault, FaultKind } from './fault.js';
import type { InvocationRecord, Records } from './records.js';

/** What callers were told by the API. */
export type Told = Readonly<{
  /** Ids of all invocations that anybody was told of. */
  invocations: ReadonlySet<string>;
  /** Those of them that were accepted to be run. */
  accepted: ReadonlySet<string>;
}>;

/**
 * Holds the records of a controller against what callers were told: what was accepted is there whole, with its row of
 * the audit trail, and nothing else is. Everybody was told in the end, since whoever got no answer asked again.
 */
export function judgeRecords({ invocations, findings, auditRows }: Records, told: Told): Fault[] {
  const stored = new Map(invocations.map((record) => [record.id, record]));
  return [
    ...[...told.invocations].filter((id) => !stored.has(id)).map((id) => fault('lost', `${id} is not in the store`)),
    ...invocations.flatMap((record) => judgeInvocation(record, told)),
    ...findings.map(({ check, subject, detail }) => fault('other', `verify: ${check}, ${subject}: ${detail}`)),
    ...(auditRows === 0 ? [fault('other', 'the audit trail is empty')] : []),
  ];
}

function judgeInvocation({ id, executions, made, decided }: InvocationRecord, told: Told): Fault[] {
  if (!told.invocations.has(id)) return [fault('doubled', `${id} is in the store and nobody was told of it`)];
  const faults: Fault[] = [];
  if (told.accepted.has(id) && executions === 0) faults.push(fault('lost', `${id} was accepted and has no execution`));
  if (!told.accepted.has(id) && executions > 0) {
    faults.push(fault('doubled', `${id} was never approved and has ${executions} executions`));
  }
  if (made !== 1) faults.push(fault('other', `${made} rows of the audit trail tell that ${id} was made`));
  if (decided > 1) faults.push(fault('doubled', `${id} was decided ${decided} times by the audit trail`));
  return faults;
}

function fault(kind: FaultKind, sentence: string): Fault {
  return { kind, sentence };
}
