import { parsePayload } from '../../protocol/envelope.js';
import { isMusterError } from '../../protocol/errors.js';
import { Capabilities } from '../../protocol/messages/capabilities.js';
import { type Clock, toTime } from '../../runtime/clock.js';
import { VERSION } from '../../runtime/version.js';
import type { ActionsConfig } from '../actions-config.js';
import type { Executor } from '../executor/executor.js';
import { rereadRequest } from '../executor/received.js';
import type { Speaker } from '../executor/to-result.js';
import type { Journal } from '../journal/contract.js';
import type { TrustedKeys } from '../keys.js';
import type { AgentSession } from '../session/session.js';
import type { Ends } from './ends.js';
import type { LocalStatus } from './messages.js';

export type StatusDeps = Readonly<{
  speaker: Speaker;
  journal: Journal;
  journalMaxBytes: number;
  executor: Executor;
  session: Pick<AgentSession, 'facts'>;
  keys: TrustedKeys;
  limits: ActionsConfig;
  capabilities: () => Buffer;
  ends: Ends;
  /** Milliseconds for which only reading actions are still taken; 0 when all are. */
  heldForMs: () => number;
  /** When this process started, on either clock. */
  started: Readonly<{ atMs: number; monotonicMs: number }>;
  clock: Clock;
}>;

/** How the agent is; nothing of it is secret. */
export function readStatus(deps: StatusDeps): LocalStatus {
  const { speaker, journal, executor, session, keys, limits, ends, started, clock } = deps;
  const { brokerUrl, connectedSinceMs, lastWelcomeMs, lastRefusal } = session.facts();
  const heldForMs = deps.heldForMs();
  const { process_isolation: isolation = 'unknown' } = parsePayload(Capabilities, deps.capabilities()).limits;
  return {
    node: speaker.node,
    org: speaker.org,
    version: VERSION,
    pid: process.pid,
    started_at: toTime(started.atMs),
    uptime_seconds: Math.round((clock.monotonicMs() - started.monotonicMs) / 1000),
    broker: { url: withoutSecrets(brokerUrl), connected_since: timeOrNull(connectedSinceMs) },
    last_welcome: timeOrNull(lastWelcomeMs),
    last_refusal: lastRefusal === undefined ? null : { code: lastRefusal.code, at: toTime(lastRefusal.atMs) },
    controller_keys: { version: keys.version, not_after: toTime(keys.notAfterMs) },
    journal: {
      epoch: timeOrNull(journal.epochMs),
      starts: journal.seq,
      unreceipted: journal.unreceipted().length,
      bytes: journal.bytes,
      max_bytes: deps.journalMaxBytes,
    },
    actions: {
      enabled: limits.enabled,
      max_concurrent: limits.maxConcurrent,
      isolation: String(isolation),
      reads_only_until: heldForMs === 0 ? null : toTime(clock.nowMs() + heldForMs),
    },
    running: executor.running().flatMap((id) => describeRunning(journal, id) ?? []),
    local: ends.recent(),
  };
}

/** Undefined when it has ended meanwhile, or the disk cannot say. */
function describeRunning(journal: Journal, id: string): LocalStatus['running'][number] | undefined {
  try {
    const octets = journal.requestOf(id);
    if (octets === undefined) return undefined;
    const { request, isLocal = false } = rereadRequest(octets, '');
    const by = request.triggered_by?.id ?? null;
    return { execution_id: id, action: request.action, by, origin: isLocal ? 'local' : 'api' };
  } catch (error) {
    if (!isMusterError(error, 'storage_failed')) throw error;
    return undefined;
  }
}

function withoutSecrets(brokerUrl: string): string {
  const url = new URL(brokerUrl);
  url.username = '';
  url.password = '';
  url.search = '';
  return url.href;
}

function timeOrNull(ms: number | undefined): string | null {
  return ms === undefined ? null : toTime(ms);
}
