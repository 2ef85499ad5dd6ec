import { isMusterError } from '../../protocol/errors.js';
import type { Reply } from '../../protocol/messages/reply.js';
import type { WakefulClock } from '../../runtime/clock.js';
import { withDeadline } from '../../runtime/deadline.js';
import type { Logger } from '../../runtime/logger.js';
import type { Speaker } from '../executor/to-result.js';
import type { Journal } from '../journal/contract.js';
import type { TrustedKeys } from '../keys.js';
import type { AgentMetrics } from '../metrics.js';
import { metricsSnapshot, startSnapshots } from './snapshot.js';
import { toHello } from './to-hello.js';
import { type StatusFacts, toStatus } from './to-status.js';
import type { Voice } from './voice.js';

/** A stop waits this long for the broker to take the last status; else the Will says it. */
const GOODBYE_MS = 2_000;
/** Capabilities are published at most once in this time. */
const CAPABILITIES_MS = 2_000;

export type AnnouncementsOptions = Readonly<{
  voice: Voice;
  speaker: Speaker;
  keys: TrustedKeys;
  journal: Journal;
  metrics: AgentMetrics;
  metricsIntervalMs: number;
  /** Which connection of this process it is. */
  connection: () => number;
  /** Ids of the executions that run. */
  running: () => readonly string[];
  /** The payload of `muster-capabilities` as it is now. */
  capabilities: () => Buffer;
  /** Corrected milliseconds since 1970. */
  nowMs: () => number;
  clock: WakefulClock;
  random: () => number;
  log: Logger;
}>;

/** What a node says of itself. None of it is waited for, or fails: what a lost link swallows is said again anyway. */
export type Announcements = Readonly<{
  /** `connection` counts from 1. */
  online: (connection: number) => void;
  hello: (nonce: string) => void;
  /** Now, or a little later when they were just published. */
  capabilities: () => void;
  reply: (reply: Omit<Reply, 'v' | 'node' | 'org'>) => void;
  /** Publishes the metrics soon instead of at the next interval. */
  metricsSoon: () => void;
  /** Says offline, and waits a short while for the broker to take it. */
  goodbye: () => Promise<void>;
  /** Says nothing at an interval any more. */
  stop: () => void;
}>;

/** Starts publishing metrics at their interval; the rest is said when asked. */
export function startAnnouncements(options: AnnouncementsOptions): Announcements {
  const { voice, speaker, keys, journal, metrics, nowMs, clock, log } = options;
  const startedAtMs = clock.nowMs();
  let capabilitiesTimer: NodeJS.Timeout | undefined;
  let areCapabilitiesDue = false;
  const snapshots = startSnapshots({
    intervalMs: options.metricsIntervalMs,
    send: () => void publishMetrics(),
    random: options.random,
  });

  function status(about: Omit<StatusFacts, 'sinceMs'>): Promise<void> {
    return voice.status(JSON.stringify(toStatus(speaker, { ...about, sinceMs: nowMs() })));
  }

  function hello(nonce: string): string {
    return JSON.stringify(
      toHello(speaker, {
        nonce,
        connection: options.connection(),
        startedAtMs,
        nowMs: clock.nowMs(),
        journal,
        keys,
        capabilities: options.capabilities(),
        running: options.running(),
      }),
    );
  }

  function publishCapabilities(): void {
    if (capabilitiesTimer !== undefined) {
      areCapabilitiesDue = true;
      return;
    }
    areCapabilitiesDue = false;
    attempt(voice.capabilities(options.capabilities()), 'capabilities not published');
    capabilitiesTimer = setTimeout(() => {
      capabilitiesTimer = undefined;
      if (areCapabilitiesDue) publishCapabilities();
    }, CAPABILITIES_MS);
    capabilitiesTimer.unref();
  }

  async function publishMetrics(): Promise<void> {
    const snapshot = await metricsSnapshot(metrics.registry, speaker.node, nowMs());
    attempt(voice.metrics(snapshot), 'metrics not published');
  }

  function attempt(saying: Promise<void>, failure: string): void {
    saying.catch((error: unknown) => {
      if (!isMusterError(error)) throw error;
      log.debug({ error: error.message }, failure);
    });
  }

  return {
    online: (connection) =>
      attempt(status({ state: 'online', reason: 'connected', connection }), 'status not published'),
    hello: (nonce) => attempt(voice.hello(hello(nonce)), 'hello not published'),
    capabilities: publishCapabilities,
    reply: (reply) => attempt(voice.reply(reply), 'reply not published'),
    metricsSoon: snapshots.nudge,
    async goodbye() {
      const said = status({ state: 'offline', reason: 'stopped', connection: options.connection() });
      await withDeadline(said, GOODBYE_MS, 'the last status').catch(() => undefined);
    },
    stop() {
      snapshots.stop();
      clearTimeout(capabilitiesTimer);
    },
  };
}
