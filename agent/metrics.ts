import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { codesOf, type ErrorCode } from '../protocol/errors.js';
import { REJECTION_REASONS, type RejectionReason } from '../protocol/messages/ack.js';
import { OUTCOMES, type Outcome } from '../protocol/outcomes.js';
import { VERSION } from '../runtime/version.js';

/** What the agent counts. `action` is always a name that the node offers, or `other`. */
export type AgentMetrics = Readonly<{
  registry: Registry;
  started: () => void;
  ended: (action: string, status: Outcome, seconds: number) => void;
  acked: (reason: RejectionReason | '') => void;
  refused: (code: ErrorCode) => void;
  /** A caller of the local socket that was not served. */
  localRefused: (code: ErrorCode) => void;
  outbox: (results: number) => void;
  connected: (isConnected: boolean) => void;
  /** Only reading actions are taken, since it restarted too often. */
  readsOnly: (isHeld: boolean) => void;
  /** The closed set of `action` labels: built-ins and hooks as they are offered now. */
  offer: (names: Iterable<string>) => void;
}>;

/** Seconds; actions take from a moment to the ten minutes of the default cap. */
const DURATION_BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 600];

/** Why a caller of the local socket is not served. */
const LOCAL_REFUSALS: readonly ErrorCode[] = [
  'invalid_request',
  'not_a_local_user',
  'too_many_callers',
  'deadline_passed',
];

/** Declares the agent's metrics in a registry of their own. */
export function createAgentMetrics(): AgentMetrics {
  const registry = new Registry();
  const registers = [registry];
  const active = new Gauge({ name: 'muster_agent_executions_active', help: 'Executions that run now', registers });
  const total = new Counter({
    name: 'muster_agent_executions_total',
    help: 'Executions that ended, by action and outcome',
    labelNames: ['action', 'status'],
    registers,
  });
  const duration = new Histogram({
    name: 'muster_agent_execution_duration_seconds',
    help: 'How long executions ran',
    labelNames: ['action'],
    buckets: DURATION_BUCKETS,
    registers,
  });
  const acks = new Counter({
    name: 'muster_agent_acks_total',
    help: 'Requests answered, by status and the reason of a rejection',
    labelNames: ['status', 'reason'],
    registers,
  });
  const refused = new Counter({
    name: 'muster_agent_messages_refused_total',
    help: 'Messages that were not believed or not for this node, and not answered',
    labelNames: ['code'],
    registers,
  });
  const localRefused = new Counter({
    name: 'muster_agent_local_refused_total',
    help: 'Callers of the local socket that were not served',
    labelNames: ['code'],
    registers,
  });
  const outbox = new Gauge({ name: 'muster_agent_outbox_results', help: 'Results without a receipt', registers });
  const connected = new Gauge({ name: 'muster_agent_connected', help: '1 while connected to the broker', registers });
  const readsOnly = new Gauge({
    name: 'muster_agent_reads_only',
    help: '1 while only reading actions are taken, after too many restarts',
    registers,
  });
  const terminals = new Gauge({ name: 'muster_agent_terminals_open', help: 'Open terminals', registers });
  new Gauge({
    name: 'muster_agent_build_info',
    help: 'Always 1; the label is the release',
    labelNames: ['version'],
    registers,
  }).set({ version: VERSION }, 1);

  for (const reason of REJECTION_REASONS) acks.inc({ status: 'rejected', reason }, 0);
  acks.inc({ status: 'accepted', reason: '' }, 0);
  for (const code of codesOf('refusal')) refused.inc({ code }, 0);
  for (const code of LOCAL_REFUSALS) localRefused.inc({ code }, 0);
  connected.set(0);
  readsOnly.set(0);
  outbox.set(0);
  terminals.set(0);
  let offered = new Set<string>();
  /** Actions whose series exist; to zero a histogram again would lose what it has counted. */
  const declared = new Set<string>();
  const declare = (action: string): void => {
    if (declared.has(action)) return;
    declared.add(action);
    for (const status of OUTCOMES) total.inc({ action, status }, 0);
    duration.zero({ action });
  };
  declare('other');

  return {
    registry,
    started: () => active.inc(),
    ended(action, status, seconds) {
      const label = offered.has(action) ? action : 'other';
      active.dec();
      total.inc({ action: label, status });
      duration.observe({ action: label }, seconds);
    },
    acked: (reason) => acks.inc({ status: reason === '' ? 'accepted' : 'rejected', reason }),
    refused: (code) => refused.inc({ code }),
    localRefused: (code) => localRefused.inc({ code }),
    outbox: (results) => outbox.set(results),
    readsOnly: (isHeld) => readsOnly.set(isHeld ? 1 : 0),
    connected: (isConnected) => connected.set(isConnected ? 1 : 0),
    offer(names) {
      offered = new Set(names);
      offered.forEach(declare);
    },
  };
}
