import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { BrokerLink } from '../broker-link.js';
import type { Presence } from '../nodes/presence.js';
import type { Registry } from '../nodes/registry.js';
import type { Store } from '../store/store.js';

/** After our own link broke, nodes that were there have this long to say hello before they count as offline. */
const RETURN_MS = 90_000;

/** Nodes that came and went since they were `told` of last. */
type Changes = Readonly<{ told: Set<string>; came: readonly string[]; went: readonly string[] }>;

/**
 * Tells of nodes that came and went since it was called last, all in one write: after a break thousands come at once.
 * A node that was away for less than the pause between two calls was not away.
 */
export function createPresenceEvents({
  store,
  registry,
  presence,
  link,
  clock,
  log,
  org,
}: {
  store: Store;
  registry: Registry;
  presence: Presence;
  link: BrokerLink;
  clock: Clock;
  log: Logger;
  org: string;
}): { tick: () => void } {
  /** Nodes with a connection that were told to be online. */
  const told = new Set<string>();
  /** Those of them that nothing has been heard of since our link broke. */
  let doubtful = new Set<string>();
  let doubtfulUntilMs = 0;
  let timesForgotten = 0;
  /** Nodes that poll and were told to be online: our link says nothing of them. */
  const toldPolling = new Set<string>();
  let isWriting = false;

  function lookAtPollers(): Changes {
    const polling = new Set(presence.pollers(clock.nowMs()));
    return {
      told: toldPolling,
      came: [...polling].filter((node) => !toldPolling.has(node)),
      went: [...toldPolling].filter((node) => !polling.has(node)),
    };
  }

  function lookAtConnected(): Changes {
    const monotonicMs = clock.monotonicMs();
    if (presence.timesForgotten !== timesForgotten) {
      timesForgotten = presence.timesForgotten;
      doubtful = new Set(told);
      doubtfulUntilMs = monotonicMs + RETURN_MS;
    }
    if (!link.connected) {
      doubtfulUntilMs = monotonicMs + RETURN_MS;
      return { told, came: [], went: [] };
    }
    if (monotonicMs >= doubtfulUntilMs) doubtful.clear();
    for (const node of presence.connectedNodes()) doubtful.delete(node);
    const came = [...presence.connectedNodes()].filter((node) => !told.has(node));
    const went = [...told].filter((node) => !presence.isConnected(node) && !doubtful.has(node));
    return { told, came, went };
  }

  async function tell(looks: readonly Changes[]): Promise<void> {
    await store.write(async (tx) => {
      for (const { came, went } of looks) {
        for (const node of came) tx.tell({ org, event: { type: 'node', node, change: 'online' } });
        for (const node of went) {
          if (registry.get(node) === undefined) continue; // it was removed, and that has been told
          tx.tell({ org, event: { type: 'node', node, change: 'offline' } });
        }
      }
    });
    for (const { told: each, came, went } of looks) {
      for (const node of came) each.add(node);
      for (const node of went) each.delete(node);
    }
  }

  return {
    tick() {
      if (isWriting) return;
      const looks = [lookAtConnected(), lookAtPollers()].filter(({ came, went }) => came.length + went.length > 0);
      if (looks.length === 0) return;
      isWriting = true;
      tell(looks)
        .catch((err: unknown) => log.warn({ err }, 'nodes that came and went not told of'))
        .finally(() => {
          isWriting = false;
        });
    },
  };
}
