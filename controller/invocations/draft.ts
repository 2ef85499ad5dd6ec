import { uuidv7 } from 'uuidv7';
import type { CreateInvocation } from '../http/schemas.js';
import type { Decision } from '../policy/decide.js';
import type { PolicyInForce } from '../policy/policies.js';
import type { Principal } from '../services.js';
import type { InvocationRow } from '../store/invocations.js';
import { askedRow } from './asked-row.js';
import { type Batches, batchExpiry } from './batches.js';
import type { Plan, PlannedTarget } from './plan.js';
import { type FixedRequest, fixRequest, type RequestSource } from './request.js';

/** What the policy said, when it said yes or no; or a grant, its id, where it would have let it wait. */
export type Verdict =
  | Exclude<Decision, { kind: 'refused' | 'approved' }>
  | Readonly<{ kind: 'approved'; by: string; grant?: string | undefined }>;

/** One execution to be made; its request when the octets are fixed at once, because the node is there. */
export type DraftExecution = Readonly<{
  target: PlannedTarget;
  request: FixedRequest | undefined;
  state: 'held' | 'queued';
  /** From 1; null without batches. */
  batch: number | null;
  expiresAtMs: number;
}>;

/** Everything of an ask that one transaction stores. */
export type Draft = Readonly<{
  row: InvocationRow;
  executionId: string;
  executions: readonly DraftExecution[];
  broadcast: FixedRequest | undefined;
  timeoutMs: number;
  /** Of the policy that let it be stored. */
  policyVersion: number;
}>;

/** Turns a plan and a verdict into rows and request octets. What is denied, or waits for a person, has no executions. */
export function draftInvocation(from: {
  principal: Principal;
  ask: CreateInvocation;
  plan: Plan;
  policy: PolicyInForce;
  verdict: Verdict;
  isConnected: (node: string) => boolean;
  nowMs: number;
}): Draft {
  const { ask, plan, policy, verdict, isConnected, nowMs } = from;
  const executionId = uuidv7();
  const row: InvocationRow = {
    ...askedRow({ ...from, expiresInMs: plan.expiresInMs }),
    timeout: plan.timeout,
    stream: ask.stream ? 1 : 0,
    spread: ask.spread ?? null,
    total: verdict.kind === 'denied' ? 0 : plan.targets.length,
    batch: ask.batch === undefined ? null : JSON.stringify(ask.batch),
    batches_begun: beginsBatch(plan, verdict.kind),
    integration: null,
    integration_id: null,
  };
  const draft = { row, executionId, policyVersion: policy.version };
  if (verdict.kind !== 'approved') return { ...draft, executions: [], broadcast: undefined, timeoutMs: 0 };
  const source = toSource(row, ask, executionId);
  return { ...draft, timeoutMs: plan.timeoutMs, ...fixWhatIsKnown(plan, source, { isConnected, nowMs }) };
}

/** What an approved ask comes to. Its time to reach its nodes begins now. */
export function draftApproved(from: {
  row: InvocationRow;
  ask: CreateInvocation;
  plan: Plan;
  policy: PolicyInForce;
  by: string;
  isConnected: (node: string) => boolean;
  nowMs: number;
}): Draft {
  const { ask, plan, policy, by, isConnected, nowMs } = from;
  const executionId = uuidv7();
  const row: InvocationRow = {
    ...from.row,
    status: 'approved',
    risk: plan.risk,
    approved_by: by,
    approved_at: nowMs,
    expires_at: nowMs + plan.expiresInMs,
    total: plan.targets.length,
    batches_begun: beginsBatch(plan, 'approved'),
    ask: null,
  };
  const source = toSource(row, ask, executionId);
  const draft = { row, executionId, policyVersion: policy.version };
  return { ...draft, timeoutMs: plan.timeoutMs, ...fixWhatIsKnown(plan, source, { isConnected, nowMs }) };
}

/** The first batch begins with the approval. */
function beginsBatch({ batches }: Plan, status: string): number | null {
  if (batches === undefined) return null;
  return status === 'approved' ? 1 : 0;
}

/**
 * One request for all when at least two nodes listen; else one for each node that listens. A node that is away gets
 * its own when it comes, so that the request is not older than its journal; one that has never been here always does.
 */
function fixWhatIsKnown(
  plan: Plan,
  source: RequestSource,
  { isConnected, nowMs }: { isConnected: (node: string) => boolean; nowMs: number },
): Pick<Draft, 'executions' | 'broadcast'> {
  if (plan.batches !== undefined) return cutIntoBatches(plan, plan.batches, { source, isConnected, nowMs });
  const whole = { state: 'queued', batch: null, expiresAtMs: source.expiresAtMs } as const;
  const listening = plan.targets.filter(({ record }) => isConnected(record.node));
  if (plan.broadcast !== undefined && listening.length > 1) {
    const checksum = plan.targets[0]?.checksum ?? null;
    const broadcast = fixRequest(source, { target: plan.broadcast, checksum, nowMs });
    const executions = plan.targets.map((target) => ({
      target,
      ...whole,
      request: target.record.journalEpoch === null && !isConnected(target.record.node) ? undefined : broadcast,
    }));
    return { executions, broadcast };
  }
  const executions = plan.targets.map((target) => {
    const { node } = target.record;
    const { checksum } = target;
    return {
      target,
      ...whole,
      request: isConnected(node) ? fixRequest(source, { target: { node }, checksum, nowMs }) : undefined,
    };
  });
  return { executions, broadcast: undefined };
}

/**
 * The nodes that are here come first, so that those that are away do not hold up the others. Only the first batch has
 * begun; a request is issued when its batch does.
 */
function cutIntoBatches(
  { targets }: Plan,
  batches: Batches,
  { source, isConnected, nowMs }: { source: RequestSource; isConnected: (node: string) => boolean; nowMs: number },
): Pick<Draft, 'executions' | 'broadcast'> {
  const isHere = ({ record }: PlannedTarget): boolean => isConnected(record.node);
  const inOrder = [...targets.filter(isHere), ...targets.filter((target) => !isHere(target))];
  const expiresAtMs = batchExpiry(batches, nowMs, source.expiresAtMs);
  const executions = inOrder.map((target, index): DraftExecution => {
    const batch = Math.floor(index / batches.size) + 1;
    if (batch > 1) return { target, request: undefined, state: 'held', batch, expiresAtMs: source.expiresAtMs };
    const { record, checksum } = target;
    const to = { target: { node: record.node }, checksum, nowMs };
    const request = isHere(target) ? fixRequest({ ...source, expiresAtMs }, to) : undefined;
    return { target, request, state: 'queued', batch, expiresAtMs };
  });
  return { executions, broadcast: undefined };
}

function toSource(row: InvocationRow, ask: CreateInvocation, executionId: string): RequestSource {
  return {
    invocationId: row.id,
    executionId,
    org: row.org,
    action: row.action,
    parameters: ask.parameters,
    timeout: row.timeout,
    stream: ask.stream,
    spread: row.spread,
    reason: row.reason,
    createdBy: row.created_by,
    expiresAtMs: row.expires_at,
  };
}
