import { spreadBackoffMs } from '../../runtime/backoff.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { Presence } from '../nodes/presence.js';
import type { Registry } from '../nodes/registry.js';
import type { Controls } from './controls.js';
import type { OpenExecutions } from './open-executions.js';

/** Asks nodes to say hello after the controller has connected, so that it knows who is there. */
export type Announcer = Readonly<{ connected: () => void; tick: () => void }>;

/** Ticks (twice a second) over which the nodes without open work are asked: a minute. */
const TICKS = 120;
const MIN_PER_TICK = 100;
/** A broker may lose what it has acknowledged: nodes with open work that stay silent are asked again. */
const REPEAT = { baseMs: 10_000, capMs: 300_000 } as const;

export function createAnnouncer(deps: {
  registry: Registry;
  presence: Presence;
  open: OpenExecutions;
  controls: Controls;
  clock: Clock;
  log: Logger;
  random: () => number;
}): Announcer {
  const { registry, presence, open, controls, clock, log, random } = deps;
  let queue: readonly string[] = [];
  let repeats = 0;
  let repeatAtMs = Number.POSITIVE_INFINITY;

  function ask(nodes: readonly string[]): void {
    for (const node of nodes) {
      if (presence.isConnected(node) || registry.get(node)?.key === undefined) continue; // one that polls listens to nothing
      controls
        .send(node, { kind: 'announce', capabilities: false })
        .catch((err: unknown) => log.debug({ err, node }, 'announce not published'));
    }
  }

  function scheduleRepeat(): void {
    repeatAtMs = clock.monotonicMs() + spreadBackoffMs(repeats, { ...REPEAT, random });
    repeats += 1;
  }

  return {
    connected() {
      const nodes = [...registry.all()].map(({ node }) => node);
      ask(nodes.filter((node) => open.countOf(node) > 0));
      queue = nodes.filter((node) => open.countOf(node) === 0);
      repeats = 0;
      scheduleRepeat();
    },
    tick() {
      if (queue.length === 0 && clock.monotonicMs() >= repeatAtMs) {
        queue = [...open.nodes()].filter((node) => !presence.isConnected(node));
        scheduleRepeat();
      }
      const count = Math.max(MIN_PER_TICK, Math.ceil(registry.size / TICKS));
      ask(queue.slice(0, count));
      queue = queue.slice(count);
    },
  };
}
