import { OWN_INTEGRATION } from '../http/event-schemas.js';
import type { IntegrationView } from '../http/integration-schemas.js';
import { type ActionInvocation, type AvailableIntegration, NODE_INTEGRATION } from '../http/sandbox-action-schemas.js';
import type { ActionView, ExecutionView, InvocationView } from '../http/schemas.js';
import { ENDED_STATUSES } from '../http/statuses.js';
import { pageOfAll } from '../paging.js';
import type { Page, PageRequest } from '../services.js';
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

/** How a page of what is available begins after one of its entries. */
const AVAILABLE_KEY = /^(integration|node) [A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;

/**
 * Integrations, and after them what nodes offer, as an integration for each of them; by name. Each node repeats
 * all of its actions, so it is a page of them.
 * @throws {MusterError} invalid_request (the cursor)
 */
export function pageOfAvailable(
  integrations: readonly IntegrationView[],
  nodeActions: readonly ActionView[],
  page: PageRequest,
): Page<AvailableIntegration> {
  const offers = nodeActions.map((action) => ({ action, nodes: new Set(action.nodes) }));
  const nodes = new Set(nodeActions.flatMap((action) => action.nodes));
  const entries = [
    ...integrations.map((each) => ({ key: `integration ${each.name}`, show: () => toOutside(each) })),
    ...[...nodes].map((node) => ({
      key: `node ${node}`,
      show: () =>
        toNodeIntegration(
          node,
          offers.flatMap((offer) => (offer.nodes.has(node) ? [offer.action] : [])),
        ),
    })),
  ];
  const { items, next_cursor } = pageOfAll(entries, { ...page, shape: AVAILABLE_KEY, keyOf: ({ key }) => key });
  return { items: items.map(({ show }) => show()), next_cursor };
}

function toOutside({ id, name, actions }: IntegrationView): AvailableIntegration {
  return {
    ...{ integrationId: id, integration: name },
    actions: actions.map(({ risk, ...action }) => ({ ...action, riskLevel: risk })),
  };
}

function toNodeIntegration(node: string, actions: readonly ActionView[]): AvailableIntegration {
  return {
    ...{ integrationId: null, integration: integrationOf(node) },
    actions: actions.map(({ name, description, risk, parameters }) => ({
      ...{ name, description, riskLevel: risk, params: parameters },
    })),
  };
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
