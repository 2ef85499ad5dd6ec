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

export function createAnnouncer(deps: {
  registry: Registry;
  presence: Presence;
  open: OpenExecutions;
  controls: Controls;
  log: Logger;
}): Announcer {
  const { registry, presence, open, controls, log } = deps;
  let queue: string[] = [];

  function ask(nodes: readonly string[]): void {
    for (const node of nodes) {
      if (presence.isConnected(node)) continue;
      controls
        .send(node, { kind: 'announce', capabilities: false })
        .catch((err: unknown) => log.debug({ err, node }, 'announce not published'));
    }
  }

  return {
    connected() {
      const nodes = [...registry.all()].map(({ node }) => node);
      ask(nodes.filter((node) => open.countOf(node) > 0));
      queue = nodes.filter((node) => open.countOf(node) === 0);
    },
    tick() {
      const count = Math.max(MIN_PER_TICK, Math.ceil(registry.size / TICKS));
      ask(queue.slice(0, count));
      queue = queue.slice(count);
    },
  };
}
