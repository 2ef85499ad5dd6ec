import { isMusterError, MusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import { type Mask, NO_MASK } from '../../runtime/masking/mask.js';
import type { Seal } from './audit-seal.js';
import type { Database, Tx } from './database.js';
import { appendEvents, type NewEvent } from './events.js';
import { readFence } from './fence.js';

/**
 * One unit of a group commit. It awaits queries of `tx` and nothing else, changes nothing but the database, and may
 * run a second time when a neighbour in its batch fails.
 */
export type WriteWork<T> = (tx: Tx) => Promise<T>;

export type Writer = Readonly<{
  /**
   * Resolves after the commit that holds it is on disk. `lazy` waits up to 50 ms for a batch to join. With a `fence` it
   * is done only while that is the number of the lease.
   * @throws {MusterError} overloaded, storage_failed, unavailable (stopping, another fence); and whatever the work throws
   */
  write: <T>(work: WriteWork<T>, options?: WriteOptions) => Promise<T>;
  /** Commits what is queued; later writes are refused. */
  stop: () => Promise<void>;
}>;

type WriteOptions = Readonly<{ lazy?: boolean; fence?: number | undefined }>;

type Queued = Readonly<{
  lazy: boolean;
  fence: number | undefined;
  run: (tx: Tx) => Promise<void>;
  /** Tells the caller of the outcome, once it is on disk. */
  settle: () => void;
  fail: (error: unknown) => void;
}>;

const LAZY_MS = 50;
const MAX_QUEUED = 10_000;
const MAX_BATCH = 500;

/**
 * The one writer of the database: all that is queued while the event loop read its sockets shares one sync. `onEvents`
 * is called after each commit that told of something.
 */
export function createWriter(
  { transact }: Pick<Database, 'transact'>,
  {
    clock,
    seal,
    mask = NO_MASK,
    onEvents,
  }: { clock: Clock; seal?: Seal | undefined; mask?: Mask; onEvents: () => void },
): Writer {
  let queue: Queued[] = [];
  let flushing: Promise<void> | undefined;
  let lazyTimer: NodeJS.Timeout | undefined;
  let stopped = false;

  function schedule(): void {
    clearTimeout(lazyTimer);
    lazyTimer = undefined;
    if (flushing !== undefined) return;
    flushing = new Promise<void>((done) => setImmediate(done)).then(flush).finally(() => {
      flushing = undefined;
      if (queue.some(({ lazy }) => !lazy)) schedule();
      else if (queue.length > 0) scheduleLater();
    });
  }

  function scheduleLater(): void {
    lazyTimer ??= setTimeout(schedule, LAZY_MS);
  }

  async function flush(): Promise<void> {
    const batch = queue.slice(0, MAX_BATCH);
    queue = queue.slice(MAX_BATCH);
    const error = await commit(batch);
    if (error === undefined) return;
    if (batch.length === 1 || isMusterError(error.cause, 'storage_failed')) {
      for (const { fail } of batch) fail(error.cause);
      return;
    }
    for (const one of batch) {
      const alone = await commit([one]);
      if (alone !== undefined) one.fail(alone.cause);
    }
  }

  /** Undefined when the batch is on disk, else why nothing of it is. */
  async function commit(batch: readonly Queued[]): Promise<{ cause: unknown } | undefined> {
    const told: NewEvent[] = [];
    try {
      await transact(async (queries) => {
        const tell = (event: NewEvent): void => void told.push(event);
        const tx: Tx = Object.assign(queries, { tell, mask, trail: undefined });
        await refuseFormerTerms(tx, batch);
        await seal?.begin(tx);
        for (const { run } of batch) await run(tx);
        await appendEvents(tx, told, clock.nowMs());
        await seal?.end(tx);
      });
    } catch (cause) {
      return { cause };
    }
    seal?.committed();
    for (const { settle } of batch) settle();
    if (told.length > 0) onEvents();
    return undefined;
  }

  return {
    write<T>(work: WriteWork<T>, { lazy = false, fence }: WriteOptions = {}): Promise<T> {
      if (stopped) return Promise.reject(new MusterError('unavailable', 'The controller is stopping'));
      if (queue.length >= MAX_QUEUED) {
        return Promise.reject(new MusterError('overloaded', 'Too many writes wait for the disk'));
      }
      return new Promise<T>((resolve, reject) => {
        let value: { of: T } | undefined;
        queue.push({
          lazy,
          fence,
          run: async (tx) => {
            value = { of: await work(tx) };
          },
          settle: () => {
            if (value !== undefined) resolve(value.of);
          },
          fail: reject,
        });
        if (!lazy) schedule();
        else if (flushing === undefined) scheduleLater();
      });
    },
    async stop() {
      stopped = true;
      while (queue.length > 0 || flushing !== undefined) {
        schedule();
        await flushing;
      }
    },
  };
}

/** What a term of a controller wants to write that is not the newest one. @throws {MusterError} unavailable */
async function refuseFormerTerms(tx: Tx, batch: readonly Queued[]): Promise<void> {
  const fences = new Set(batch.flatMap(({ fence }) => fence ?? []));
  if (fences.size === 0) return;
  fences.delete(await readFence(tx));
  if (fences.size > 0) throw new MusterError('unavailable', 'Another controller leads by now');
}
