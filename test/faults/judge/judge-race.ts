import type { Fault, FaultKind } from './fault.js';

/** What many people said at once about one ask that waited, and what came of it. */
export type Race = Readonly<{
  id: string;
  answers: readonly Readonly<{ said: 'approve' | 'deny'; status: number }>[];
  /** The state that the invocation has afterwards. */
  status: string;
}>;

const CONFLICT = 409;

/** One of all that is said counts, all others are told of a conflict, and the state is what that one said. */
export function judgeRace({ id, answers, status }: Race): Fault[] {
  const winners = answers.filter((answer) => answer.status === 200);
  const others = answers.filter((answer) => answer.status !== 200 && answer.status !== CONFLICT);
  const faults = others.map((answer) => fault('undefined', `${id}: ${answer.said} was answered with ${answer.status}`));
  const [winner] = winners;
  if (winner === undefined) return [...faults, fault('lost', `${id} waits although it was decided`)];
  if (winners.length > 1) faults.push(fault('doubled', `${id}: ${winners.length} of ${answers.length} were told yes`));
  if ((status === 'denied') !== (winner.said === 'deny') || status === 'pending') {
    faults.push(fault('undefined', `${id} is ${status} after somebody could ${winner.said} it`));
  }
  return faults;
}

function fault(kind: FaultKind, sentence: string): Fault {
  return { kind, sentence };
}
