import { getHeapStatistics } from 'node:v8';
import type { Context } from './context.js';

const LOOK_MS = 10_000;
/** Less than this is not worth the 10 ms of a collection, or the 100 ms on a slow device. */
const WORTH_BYTES = 1024 * 1024;

/**
 * Collects what work has left in the heap, at most each 10 s. By itself V8 collects when the heap grows, so that an agent
 * with nothing to do would keep what its busiest moment left. Needs `node --expose-gc`; without it nothing is done.
 */
export function tidyHeap({ log, stops }: Pick<Context, 'log' | 'stops'>): void {
  const { gc } = globalThis;
  if (gc === undefined) return;
  let leastBytes = 0;
  const timer = setInterval(() => {
    const before = heapBytes();
    if (before < leastBytes + WORTH_BYTES) return;
    gc();
    leastBytes = heapBytes();
    log.debug({ freedBytes: before - leastBytes }, 'heap tidied');
  }, LOOK_MS);
  timer.unref();
  stops.add(() => clearInterval(timer));
}

/** What lives in the heap, and the buffers outside that it holds. */
function heapBytes(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}
