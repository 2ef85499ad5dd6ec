import type { Client } from './client.js';
import type { Outcome } from './follow.js';
import type { Io } from './io.js';
import { renderEnds, renderGroups, renderSingle } from './render/outcome.js';
import { wholeOutput } from './whole-output.js';

/** What became of an invocation, for people: one node's output plainly, many nodes' grouped; then how each ended. */
export async function renderOutcome(client: Client, outcome: Outcome, io: Pick<Io, 'stdout' | 'env'>): Promise<string> {
  const [only, ...others] = outcome.executions;
  if (only === undefined || others.length > 0) return `${renderGroups(outcome, io)}${renderEnd(outcome, io)}`;
  return renderSingle(only, await wholeOutput(client, only), io);
}

/** The same without the output, for when it was shown while it came. */
export function renderEnd(outcome: Outcome, io: Pick<Io, 'stdout' | 'env'>): string {
  const [only, ...others] = outcome.executions;
  if (only === undefined) return `No node was asked: the invocation is ${outcome.invocation.status}.\n`;
  return others.length > 0 ? renderEnds(outcome, io) : renderSingle(only, undefined, io);
}
