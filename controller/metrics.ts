import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { codesOf, type ErrorCode } from '../protocol/errors.js';
import type { Risk } from '../protocol/messages/capabilities.js';
import { VERSION } from '../runtime/version.js';
import type { ExecutionStatus, InvocationStatus } from './http/schemas.js';
import { EXECUTION_STATUSES } from './http/statuses.js';
import { OPEN_STATUSES } from './invocations/completion.js';

/** What the controller counts. Labels are closed sets: an action that no node offers counts as `other`. */
export type ControllerMetrics = Readonly<{
  invocationMade: (labels: Readonly<{ action: string; risk: Risk; status: InvocationStatus }>) => void;
  /** An ask would have waited for a person, and a grant approved it. */
  grantUsed: () => void;
  executionEnded: (status: ExecutionStatus) => void;
  refused: (code: ErrorCode) => void;
  ackLatency: (seconds: number) => void;
  executionLatency: (seconds: number) => void;
  /** So many hooks are announced with another checksum than the pinned one. */
  hooksChanged: (count: number) => void;
  /** So many announced actions are left out, since registered values name them. */
  offersHidden: (count: number) => void;
  /** A result told of a hook that was not the one asked for. */
  hookViolation: () => void;
  loginRefused: () => void;
  /** What came of a try to tell a webhook of an event; `lost` is an event that it is never told of. */
  webhook: (result: WebhookResult) => void;
  render: () => Promise<Readonly<{ body: string; contentType: string }>>;
}>;

const WEBHOOK_RESULTS = ['delivered', 'failed', 'lost'] as const;
type WebhookResult = (typeof WEBHOOK_RESULTS)[number];

/** Read when the metrics are. */
export type MetricsSources = Readonly<{
  openByStatus: () => Readonly<Record<(typeof OPEN_STATUSES)[number], number>>;
  nodes: () => Readonly<{ online: number; offline: number }>;
  brokerConnected: () => boolean;
  suspended: () => boolean;
  approvalsPending: () => Promise<number>;
  grantsActive: () => Promise<number>;
}>;

/** Action names in the labels are capped, since nodes choose the names of hooks. */
const MAX_ACTION_LABELS = 200;
const LATENCY_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

export function createControllerMetrics(sources: MetricsSources): ControllerMetrics {
  const registry = new Registry();
  const registers = [registry];
  const invocations = new Counter({
    name: 'muster_controller_invocations_total',
    help: 'Invocations made, by the state they were made in',
    labelNames: ['action', 'risk', 'status'],
    registers,
  });
  const grantUses = new Counter({
    name: 'muster_controller_grant_uses_total',
    help: 'Asks that no person approved, but a grant',
    registers,
  });
  const ended = new Counter({
    name: 'muster_controller_executions_ended_total',
    help: 'Executions that reached an end, also one that a late result replaced',
    labelNames: ['status'],
    registers,
  });
  for (const status of EXECUTION_STATUSES) if (!isOpen(status)) ended.inc({ status }, 0);
  const refused = new Counter({
    name: 'muster_controller_messages_refused_total',
    help: 'Messages from the broker that were not believed',
    labelNames: ['code'],
    registers,
  });
  for (const code of codesOf('refusal')) refused.inc({ code }, 0);
  const ackLatency = histogram('muster_controller_ack_latency_seconds', 'From the first offer to its ack', registers);
  const latency = histogram(
    'muster_controller_execution_latency_seconds',
    'From the first offer to the stored result',
    registers,
  );
  const hooksChanged = new Counter({
    name: 'muster_controller_hook_changes_total',
    help: 'Hooks that were announced with another checksum than the pinned one',
    registers,
  });
  const offersHidden = new Counter({
    name: 'muster_controller_offers_hidden_total',
    help: 'Announced hooks and built-ins that are left out, since a registered secret is their name or the name of a parameter',
    registers,
  });
  const violations = new Counter({
    name: 'muster_controller_hook_violations_total',
    help: 'Results that tell of a hook which was not the one asked for',
    registers,
  });
  const loginsRefused = new Counter({
    name: 'muster_controller_logins_refused_total',
    help: 'Logins that were refused: a wrong name or password, or too many tries',
    registers,
  });
  const webhooks = new Counter({
    name: 'muster_controller_webhook_deliveries_total',
    help: 'Tries to tell a webhook of an event; lost are events that it is never told of',
    labelNames: ['result'],
    registers,
  });
  for (const result of WEBHOOK_RESULTS) webhooks.inc({ result }, 0);
  registerGauges(sources, registers);

  const actions = new Set<string>();
  return {
    invocationMade({ action, risk, status }) {
      if (actions.size < MAX_ACTION_LABELS) actions.add(action);
      invocations.inc({ action: actions.has(action) ? action : 'other', risk, status });
    },
    grantUsed: () => grantUses.inc(),
    executionEnded: (status) => ended.inc({ status }),
    refused: (code) => refused.inc({ code }),
    ackLatency: (seconds) => ackLatency.observe(seconds),
    executionLatency: (seconds) => latency.observe(seconds),
    hooksChanged: (count) => hooksChanged.inc(count),
    offersHidden: (count) => offersHidden.inc(count),
    hookViolation: () => violations.inc(),
    loginRefused: () => loginsRefused.inc(),
    webhook: (result) => webhooks.inc({ result }),
    render: async () => ({ body: await registry.metrics(), contentType: registry.contentType }),
  };
}

function histogram(name: string, help: string, registers: Registry[]): Histogram {
  return new Histogram({ name, help, buckets: LATENCY_BUCKETS, registers });
}

function registerGauges(sources: MetricsSources, registers: Registry[]): void {
  const { openByStatus, nodes, brokerConnected, suspended, approvalsPending, grantsActive } = sources;
  new Gauge({
    name: 'muster_controller_approvals_pending',
    help: 'Asks that wait for a person',
    registers,
    async collect() {
      this.set(await approvalsPending());
    },
  });
  new Gauge({
    name: 'muster_controller_grants_active',
    help: 'Approvals that are given beforehand and may still be used',
    registers,
    async collect() {
      this.set(await grantsActive());
    },
  });
  new Gauge({
    name: 'muster_controller_executions_open',
    help: 'Executions that are not at their end',
    labelNames: ['status'],
    registers,
    collect() {
      for (const [status, count] of Object.entries(openByStatus())) this.set({ status }, count);
    },
  });
  new Gauge({
    name: 'muster_controller_nodes',
    help: 'Enrolled nodes',
    labelNames: ['state'],
    registers,
    collect() {
      for (const [state, count] of Object.entries(nodes())) this.set({ state }, count);
    },
  });
  new Gauge({
    name: 'muster_controller_broker_connected',
    help: '1 while there is a connection to the broker',
    registers,
    collect() {
      this.set(brokerConnected() ? 1 : 0);
    },
  });
  new Gauge({
    name: 'muster_controller_suspended',
    help: '1 while nothing is started, since the store was restored from an older copy',
    registers,
    collect() {
      this.set(suspended() ? 1 : 0);
    },
  });
  registerSelf(1, registers);
}

/** What a controller says of itself while another one leads. */
export function createStandbyMetrics(): Pick<ControllerMetrics, 'render'> {
  const registry = new Registry();
  registerSelf(0, [registry]);
  return { render: async () => ({ body: await registry.metrics(), contentType: registry.contentType }) };
}

function registerSelf(leads: 0 | 1, registers: Registry[]): void {
  new Gauge({
    name: 'muster_controller_leads',
    help: '1 on the controller that leads, which has all other metrics; 0 on one that stands by',
    registers,
  }).set(leads);
  new Gauge({
    name: 'muster_controller_build_info',
    help: 'The release, as a label',
    labelNames: ['version'],
    registers,
  }).set({ version: VERSION }, 1);
}

function isOpen(status: ExecutionStatus): boolean {
  return OPEN_STATUSES.some((open) => open === status);
}
