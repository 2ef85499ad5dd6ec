import { z } from 'zod';
import { ActionName, Id, Sha256Hex, Time } from '../../protocol/ids.js';
import { parseLabel } from '../../protocol/selectors.js';
import { ExecutionStatus, ExecutionView, InvocationStatus, NodeState, PageQuery } from './schemas.js';

/** One of these, or several with commas between. */
function oneOrMore<const T extends readonly [string, ...string[]]>(values: z.ZodEnum<{ [K in T[number]]: K }>) {
  return z
    .string()
    .max(256)
    .transform((text) => text.split(','))
    .pipe(z.array(values))
    .describe('One or more, with commas between');
}

/** `key=value`, once or several times. */
const LabelFilters = z
  .union([z.string().max(400), z.array(z.string().max(400)).max(64)])
  .transform((given) => [given].flat())
  .pipe(
    z.array(
      z.string().transform((text, { addIssue }): [string, string] => {
        try {
          return parseLabel(text);
        } catch {
          addIssue({ code: 'custom', message: 'must be key=value' });
          return z.NEVER;
        }
      }),
    ),
  );

/** What a list of nodes may be narrowed to; each that is given has to fit. */
export const NodesQuery = PageQuery.extend({
  q: z.string().max(63).optional().describe('Only those with this in their id, in whatever case'),
  state: oneOrMore(NodeState).optional(),
  group: Id.optional(),
  label: LabelFilters.optional().describe('Only those that carry this label, key=value; may be given several times'),
});
export type NodesQuery = Readonly<z.infer<typeof NodesQuery>>;

/** How many nodes there are, and in which state. */
export const NodesSummary = z.object({ total: z.int(), online: z.int(), offline: z.int(), never_seen: z.int() });
export type NodesSummary = Readonly<z.infer<typeof NodesSummary>>;

/** What a list of invocations may be narrowed to; each that is given has to fit. */
export const InvocationsQuery = PageQuery.extend({
  status: oneOrMore(InvocationStatus).optional(),
  action: ActionName.optional(),
  node: Id.optional().describe('Only those with an execution on this node'),
  since: Time.optional().describe('Only those that were made at this time or later'),
});
export type InvocationsQuery = Readonly<z.infer<typeof InvocationsQuery>>;

/** By what like executions are put together: how they ended, or that and what they printed. */
export const GroupBy = z.enum(['outcome', 'outcome,output']);
export type GroupBy = z.infer<typeof GroupBy>;

export const ExecutionsQuery = PageQuery.extend({
  status: oneOrMore(ExecutionStatus).optional(),
  group_by: GroupBy.optional().describe('Answer with groups of like executions instead, the largest first'),
});
export type ExecutionsQuery = Readonly<z.infer<typeof ExecutionsQuery>>;

/** Executions that ended alike, or stand alike. */
export const ExecutionGroupView = z.object({
  status: ExecutionStatus,
  reason: z.string().nullable(),
  exit_code: z.int().nullable(),
  error_code: z.string().nullable(),
  output_sha256: Sha256Hex.nullable().describe(
    'Of the hashes of both streams; null without a result or when not grouped by output',
  ),
  count: z.int(),
  nodes: z.array(Id).describe('The first of them by id, at most 8'),
  sample: ExecutionView.describe('The execution on the first of them; at most 4096 characters of each stream'),
});
export type ExecutionGroupView = Readonly<z.infer<typeof ExecutionGroupView>>;
