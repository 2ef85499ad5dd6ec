import { Risk } from '../../protocol/messages/capabilities.js';
import { Parameters } from '../../protocol/messages/parameters.js';
import { isGrantable } from '../grants/match.js';
import { grantOf } from '../grants/rows.js';
import { askerGone, findAsker } from '../invocations/asker.js';
import { namedContainers } from '../nodes/announced-containers.js';
import type { Registry } from '../nodes/registry.js';
import { decide, type Question } from '../policy/decide.js';
import type { PolicyDocument } from '../policy/document.js';
import { readPolicy } from '../policy/policies.js';
import { type ActionKind, riskOf } from '../policy/risks.js';
import type { Tx } from '../store/database.js';
import type { InvocationRow } from '../store/invocations.js';

/** Why a batch may not begin, and the version of the policy that says so. */
export type Objection = Readonly<{ why: string; policy: number }>;

const EVERY_KIND: readonly ActionKind[] = ['builtin', 'hook'];

/**
 * Holds a batch that is about to begin against the policy of now, as if whoever asked did so now for its nodes.
 * Undefined when nothing stands against it: what the policy would let wait is under way by the word of another person,
 * or it would not wait.
 */
export async function objectionTo(
  tx: Tx,
  registry: Registry,
  { row, nodes }: { row: InvocationRow; nodes: readonly string[] },
): Promise<Objection | undefined> {
  const { version, document } = await readPolicy(tx, row.org);
  const objection = (why: string): Objection => ({ why, policy: version });
  const asker = await findAsker(tx, row);
  if (asker === undefined) return objection(askerGone(row));
  const question = questionOf(document, registry, { row, nodes });
  const decision = decide(document, asker, question);
  if (decision.kind === 'denied') return objection(decision.error);
  if (decision.kind === 'refused') return objection(decision.detail);
  if (decision.kind === 'approved') return undefined;
  if (grantOf(row.approved_by) !== undefined && !isGrantable(document, question)) {
    return objection('It is by now what no grant approves: dangerous, or on a protected target');
  }
  const isApprovedByAnother = row.approved_by !== 'policy' && row.approved_by !== row.created_by;
  return isApprovedByAnother ? undefined : objection('It needs an approval that nobody has given');
}

/** What nodes that offer it no more would have made of it nobody knows: there the rules of every kind count. */
function questionOf(
  policy: PolicyDocument,
  registry: Registry,
  { row: { action, parameters, risk, reason }, nodes }: { row: InvocationRow; nodes: readonly string[] },
): Question {
  const records = nodes.flatMap((node) => registry.get(node) ?? []);
  const offers = records.flatMap(({ catalogue }) => catalogue?.get(action) ?? []);
  const offered = offers.map(({ kind, spec }) => ({ kind, announced: spec.risk }));
  const unknown = EVERY_KIND.map((kind) => ({ kind, announced: Risk.parse(risk) }));
  const known = offered.length > 0 ? offered : unknown;
  return {
    action,
    kinds: [...new Set(known.map(({ kind }) => kind))],
    risk: riskOf(policy, action, known),
    nodes: records,
    containers: namedContainers(records, Parameters.parse(JSON.parse(parameters))),
    reason: reason ?? undefined,
    confirmed: true,
  };
}
