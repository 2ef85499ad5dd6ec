import type { Client } from './client.js';
import type { Outcome } from './follow.js';
import type { Io } from './io.js';
import { renderMany, renderSingle } from './render/outcome.js';
import { wholeOutput } from './whole-output.js';

/** What became of an invocation, for people: one node's output plainly, many nodes' grouped. */
export async function renderOutcome(client: Client, outcome: Outcome, io: Pick<Io, 'stdout' | 'env'>): Promise<string> {
  const [only] = outcome.executions;
  if (only === undefined) return `No node was asked: the invocation is ${outcome.invocation.status}.\n`;
  if (outcome.executions.length > 1) return renderMany(outcome, io);
  return renderSingle(only, await wholeOutput(client, only), io);
}
