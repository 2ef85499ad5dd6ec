import { ExecutionGroupView } from '../controller/http/list-schemas.js';
import { ExecutionView, type InvocationAnswer, pageOf } from '../controller/http/schemas.js';
import { escapeText } from '../runtime/terminal-text.js';
import type { Client } from './client.js';
import type { Io } from './io.js';
import { renderAction } from './render/action.js';
import { type Groups, renderEnds, renderGroupEnds, renderGroups } from './render/groups.js';
import { renderSingle } from './render/outcome.js';
import { inlineOutput, wholeOutput } from './whole-output.js';

/** More kinds of results than this nobody reads on a terminal. */
const MAX_GROUPS = 50;

type Screen = Pick<Io, 'stdout' | 'env'>;

/** What became of an invocation, for people: one node's output plainly, many nodes' grouped; then how each ended. */
export async function renderOutcome(client: Client, answer: InvocationAnswer, io: Screen): Promise<string> {
  const only = onlyOne(answer);
  if (only !== undefined) return renderSingle(only, await wholeOutput(client, only), io);
  if ('integration' in answer.invocation.target) return renderAction(answer);
  if (answer.invocation.counts.total === 0) return nobody(answer);
  const groups = await readGroups(client, answer);
  return `${renderGroups(groups, io)}${renderManyEnds(answer, groups, io)}`;
}

/** The same without the output, for when it was shown while it came. */
export async function renderEnd(client: Client, answer: InvocationAnswer, io: Screen): Promise<string> {
  const only = onlyOne(answer);
  if (only !== undefined) return renderSingle(only, undefined, io);
  if ('integration' in answer.invocation.target) return renderAction(answer);
  if (answer.invocation.counts.total === 0) return nobody(answer);
  return renderManyEnds(answer, await readGroups(client, answer), io);
}

function onlyOne({ executions = [] }: InvocationAnswer): ExecutionView | undefined {
  return executions.length === 1 ? executions[0] : undefined;
}

function nobody({ invocation: { status, error } }: InvocationAnswer): string {
  const why = error === null ? '.' : `: ${escapeText(error)}`;
  return `No node was asked: the invocation is ${status}${why}\n`;
}

/** A line for each node; for so many that the answer leaves them out, a line for each kind of end. */
function renderManyEnds({ invocation, executions }: InvocationAnswer, groups: Groups, io: Screen): string {
  const ends = executions === undefined ? renderGroupEnds(groups, io) : renderEnds(executions, io);
  const { success, total } = invocation.counts;
  return `${ends}\n${success} of ${total} succeeded\n`;
}

async function readGroups(client: Client, { invocation: { id } }: InvocationAnswer): Promise<Groups> {
  const path = `/invocations/${id}/executions`;
  const query = { group_by: 'outcome,output', limit: MAX_GROUPS };
  const page = await client.call(pageOf(ExecutionGroupView), { path, query });
  const items: ExecutionGroupView[] = [];
  for (const group of page.items) items.push({ ...group, sample: await inFull(client, group.sample) });
  return { items, isMore: page.next_cursor !== null };
}

/** As much as the result itself holds, where a sample was cut. */
async function inFull(client: Client, sample: ExecutionView): Promise<ExecutionView> {
  const { stdout, stderr } = inlineOutput(sample);
  if ([stdout, stderr].every(({ isText, isWhole }) => isWhole || !isText)) return sample;
  return client.call(ExecutionView, { path: `/invocations/${sample.invocation_id}/executions/${sample.node}` });
}
