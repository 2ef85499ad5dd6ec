import { OUTPUT_LOST, type Reply } from '../../protocol/messages/reply.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { Controls, SentControl } from '../dispatch/controls.js';
import type { Presence } from '../nodes/presence.js';
import type { Registry } from '../nodes/registry.js';
import { firstMissingOutput } from '../store/outputs.js';
import type { Store } from '../store/store.js';
import type { Receipts } from './receipts.js';

/** A result is receipted once all its pieces of output are stored; what is missing is asked for again. */
export type MissingOutput = Readonly<{
  /** The result is stored and has so many pieces. */
  resultStored: (of: Readonly<{ executionId: string; node: string; chunks: number }>) => void;
  /** Pieces of these executions were stored. */
  outputStored: (keys: Iterable<string>) => void;
  /** True when the reply answers an ask of ours; one that says `output_lost` ends the wait, and the result is receipted. */
  answered: (reply: Reply) => boolean;
  /** Asks nodes that are here for what has been missing for long; called twice a second. */
  tick: () => void;
}>;

type Awaited = Readonly<{ executionId: string; node: string; chunks: number }> & {
  askAtMs: number;
  /** The newest ask. */
  sent: SentControl | undefined;
};

const ASK_AFTER_MS = 5_000;
const ASK_AGAIN_MS = 30_000;
/** Beyond this many the oldest is let go: its node sends the result again. */
const MAX_AWAITED = 10_000;

export function createMissingOutput(deps: {
  store: Store;
  receipts: Receipts;
  controls: Controls;
  registry: Registry;
  presence: Presence;
  clock: Clock;
  log: Logger;
}): MissingOutput {
  const { store, receipts, controls, registry, presence, clock, log } = deps;
  const awaited = new Map<string, Awaited>();

  function look(key: string, each: Awaited): void {
    firstMissingOutput(store.read, each, each.chunks).then(
      (missing) => {
        if (missing !== undefined || !awaited.delete(key)) return;
        receipts.add(each.node, each.executionId);
      },
      (err: unknown) => log.error({ err }, 'pieces of output not counted'),
    );
  }

  async function ask(each: Awaited): Promise<void> {
    const { executionId, node, chunks } = each;
    const processId = registry.get(node)?.processId ?? null;
    const missing = await firstMissingOutput(store.read, { executionId, node }, chunks);
    if (processId === null || missing === undefined) return;
    const body = { kind: 'resend', process_id: processId, execution_id: executionId, from_seq: missing } as const;
    each.sent = controls.post(node, body); // not waited for: the reply may come before the broker's word
  }

  return {
    resultStored({ executionId, node, chunks }) {
      if (chunks === 0) return receipts.add(node, executionId);
      const key = `${executionId}/${node}`;
      const each = {
        executionId,
        node,
        chunks,
        askAtMs: clock.monotonicMs() + ASK_AFTER_MS,
        sent: awaited.get(key)?.sent,
      };
      awaited.set(key, each);
      const oldest = awaited.size > MAX_AWAITED ? awaited.keys().next().value : undefined;
      if (oldest !== undefined) awaited.delete(oldest);
      look(key, each);
    },
    outputStored(keys) {
      for (const key of new Set(keys)) {
        const each = awaited.get(key);
        if (each !== undefined) look(key, each);
      }
    },
    answered({ node, control_id, control_sha256, error }) {
      for (const [key, { executionId, sent, ...each }] of awaited) {
        if (each.node !== node || sent?.controlId !== control_id || sent.sha256 !== control_sha256) continue;
        if (error?.code === OUTPUT_LOST) {
          awaited.delete(key);
          log.warn({ node, executionId }, 'output is incomplete, the node has lost the rest');
          receipts.add(node, executionId);
        }
        return true;
      }
      return false;
    },
    tick() {
      const nowMs = clock.monotonicMs();
      for (const each of awaited.values()) {
        if (each.askAtMs > nowMs || !presence.isConnected(each.node)) continue;
        each.askAtMs = nowMs + ASK_AGAIN_MS;
        ask(each).catch((err: unknown) => log.debug({ err, node: each.node }, 'resend not asked for'));
      }
    },
  };
}
