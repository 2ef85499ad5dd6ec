import { randomUUID } from 'node:crypto';
import { startScript } from '../processes.js';
import { connectionTo, lacksBullMq, loadBullMq } from './bullmq-library.js';
import { lacksRedis, startRedis } from './redis.js';

/** BullMQ as its makers mean it to be used: a queue here, a worker in another process, Redis in a third. */
export type BullMq = Readonly<{
  /** Adds a job that nobody takes; resolves when Redis has answered. */
  add: () => Promise<void>;
  /** Adds a job; resolves when it is told that the worker has completed it. */
  complete: () => Promise<void>;
  stop: () => Promise<void>;
}>;

/** Why it cannot be measured here; undefined when it can. */
export function lacksPeers(): string | undefined {
  return lacksRedis() ?? lacksBullMq();
}

/** Starts all of it, with the files of Redis in this directory. `data` goes along with each job. */
export async function startBullMq(
  directory: string,
  { data, concurrency }: { data: unknown; concurrency: number },
): Promise<BullMq> {
  const { Queue, QueueEvents } = await loadBullMq();
  const redis = await startRedis(directory);
  const connection = connectionTo(redis.port);
  const left = new Queue('left', { connection });
  const taken = new Queue('taken', { connection });
  const events = new QueueEvents('taken', { connection });
  const waiting = new Map<string, () => void>();
  events.on('completed', ({ jobId }) => waiting.get(jobId)?.());
  await Promise.all([left.waitUntilReady(), taken.waitUntilReady(), events.waitUntilReady()]);
  const worker = await startScript('peers/bullmq-worker.ts', [String(redis.port), 'taken', String(concurrency)]);
  return {
    async add() {
      await left.add('ask', data);
    },
    async complete() {
      const jobId = randomUUID(); // known before the job is added, so that its end cannot be missed
      const completed = new Promise<void>((done) => waiting.set(jobId, done));
      await taken.add('ask', data, { jobId });
      await completed;
      waiting.delete(jobId);
    },
    async stop() {
      await worker.stop();
      await Promise.all([left.close(), taken.close(), events.close()]);
      await redis.stop();
    },
  };
}
