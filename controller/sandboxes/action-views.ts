import { groupBy } from '../grouping.js';
import { OWN_INTEGRATION } from '../http/event-schemas.js';
import type { IntegrationView } from '../http/integration-schemas.js';
import { type ActionInvocation, type AvailableIntegration, NODE_INTEGRATION } from '../http/sandbox-action-schemas.js';
import { type ActionView, ENDED_STATUSES, type ExecutionView, type InvocationView } from '../http/schemas.js';
import { compareText } from '../nodes/registry.js';
import { sandboxOf } from './rows.js';

/** Of each stream of an output these many characters are shown; all of it has an address of its own. */
const MAX_SHOWN = 4096;
/** What is left of a character that was cut in two. */
const HALF_CHARACTER = /[\uD800-\uDBFF]$/;

/** A node is an integration of this name. */
export function integrationOf(node: string): string {
  return `${NODE_INTEGRATION}:${node}`;
}

/** The node that an integration is; undefined for every other. */
export function nodeOf(integration: string): string | undefined {
  const prefix = `${NODE_INTEGRATION}:`;
  return integration.startsWith(prefix) ? integration.slice(prefix.length) : undefined;
}

/** Integrations, and after them what nodes offer, as an integration for each of them; by name. */
export function toAvailable(
  integrations: readonly IntegrationView[],
  nodeActions: readonly ActionView[],
): AvailableIntegration[] {
  const outside = integrations.map(({ id, name, actions }) => ({
    ...{ integrationId: id, integration: name },
    actions: actions.map(({ risk, ...action }) => ({ ...action, riskLevel: risk })),
  }));
  return [...outside, ...toNodeIntegrations(nodeActions)];
}

function toNodeIntegrations(actions: readonly ActionView[]): AvailableIntegration[] {
  const offered = actions.flatMap((action) => action.nodes.map((node) => ({ node, action })));
  return [...groupBy(offered, ({ node }) => node)]
    .sort(([a], [b]) => compareText(a, b))
    .map(([node, each]) => ({
      integrationId: null,
      integration: integrationOf(node),
      actions: each.map(({ action: { name, description, risk, parameters } }) => ({
        ...{ name, description, riskLevel: risk, params: parameters },
      })),
    }));
}

/** What is known of an invocation beside itself: what nodes answered, or an integration. */
type Outcome = Readonly<{ org: string; executions?: readonly ExecutionView[] | undefined; result?: unknown }>;

/** An invocation in the words of the routes below a sandbox. */
export function toActionInvocation(
  invocation: InvocationView,
  { org, executions = [], result }: Outcome,
): ActionInvocation {
  return {
    id: invocation.id,
    sessionId: sandboxOf(invocation.created_by) ?? '',
    organizationId: org,
    integrationId: invocation.integration_id,
    integration: integrationNameOf(invocation),
    action: invocation.action,
    riskLevel: invocation.risk,
    params: invocation.parameters,
    status: invocation.status,
    result: 'integration' in invocation.target ? (result ?? null) : resultOf(invocation, executions),
    error: invocation.error,
    durationMs: invocation.duration_ms,
    approvedBy: invocation.approved_by,
    approvedAt: invocation.approved_at,
    completedAt: invocation.completed_at,
    expiresAt: invocation.expires_at,
    createdAt: invocation.created_at,
  };
}

function integrationNameOf({ target }: InvocationView): string {
  if ('integration' in target) return target.integration;
  const [node, ...others] = 'nodes' in target ? target.nodes : [];
  return node === undefined || others.length > 0 ? OWN_INTEGRATION : integrationOf(node);
}

/** Of one node what it answered, of several how many came to what. */
function resultOf({ status, counts }: InvocationView, executions: readonly ExecutionView[]): unknown {
  const [execution, ...others] = executions;
  if (!ENDED_STATUSES.has(status) || execution === undefined) return null;
  if (others.length > 0) return { counts: Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)) };
  const { node, exit_code, error_code, error, stdout, stderr } = execution;
  return {
    node,
    status: execution.status,
    exit_code,
    error_code,
    error,
    ...shown('stdout', stdout),
    ...shown('stderr', stderr),
  };
}

function shown(stream: 'stdout' | 'stderr', text: string | null) {
  const isCut = text !== null && text.length > MAX_SHOWN;
  return {
    [stream]: isCut ? text.slice(0, MAX_SHOWN).replace(HALF_CHARACTER, '') : text,
    ...(isCut ? { [`${stream}_cut`]: true } : {}),
  };
}
