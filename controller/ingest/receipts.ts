import type { Logger } from '../../runtime/logger.js';
import type { Controls } from '../dispatch/controls.js';
import type { Presence } from '../nodes/presence.js';
import type { Registry } from '../nodes/registry.js';

/** Tells nodes which results are stored, many in one message. */
export type Receipts = Readonly<{ add: (node: string, executionId: string) => void; stop: () => void }>;

/** Well within the two seconds that a node is promised, and long enough that a busy node gets many in one. */
const COLLECT_MS = 300;
const MAX_IDS = 500;

/** A receipt that is lost is made up for: the node sends its result again, and gets another. */
export function createReceipts(deps: {
  controls: Controls;
  registry: Registry;
  presence: Presence;
  log: Logger;
}): Receipts {
  const { controls, registry, presence, log } = deps;
  const waiting = new Map<string, Set<string>>();
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    timer = undefined;
    for (const node of [...waiting.keys()]) flushNode(node);
  }

  function flushNode(node: string): void {
    const ids = [...(waiting.get(node) ?? [])];
    waiting.delete(node);
    const processId = registry.get(node)?.processId ?? null;
    if (processId === null || !presence.isConnected(node)) return;
    controls.send(node, { kind: 'receipt', process_id: processId, execution_ids: ids }).catch((err: unknown) => {
      log.debug({ err, node }, 'receipt not published');
    });
  }

  return {
    add(node, executionId) {
      const ids = waiting.get(node) ?? new Set();
      ids.add(executionId);
      waiting.set(node, ids);
      if (ids.size >= MAX_IDS) flushNode(node);
      timer ??= setTimeout(flush, COLLECT_MS);
    },
    stop() {
      clearTimeout(timer);
      flush();
    },
  };
}
