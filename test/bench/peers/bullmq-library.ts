import { createRequire } from 'node:module';

type Options = Readonly<{
  connection: Readonly<{ host: string; port: number; maxRetriesPerRequest: null }>;
  concurrency?: number;
}>;
type Waits = Readonly<{ waitUntilReady: () => Promise<unknown>; close: () => Promise<void> }>;

/** What the benchmarks use of BullMQ, whose own types are there only once it is installed. */
export type BullMqLibrary = Readonly<{
  Queue: new (
    name: string,
    options: Options,
  ) => Waits & { add: (name: string, data: unknown, options?: { jobId: string }) => Promise<unknown> };
  QueueEvents: new (
    name: string,
    options: Options,
  ) => Waits & { on: (event: 'completed', listener: (event: { jobId: string }) => void) => unknown };
  Worker: new (name: string, take: (job: { data: unknown }) => Promise<unknown>, options: Options) => Waits;
}>;

/** Why there is no BullMQ here; undefined when there is. */
export function lacksBullMq(): string | undefined {
  try {
    entryPoint();
    return undefined;
  } catch {
    return 'BullMQ is not installed';
  }
}

/** @throws when it is not installed. */
export async function loadBullMq(): Promise<BullMqLibrary> {
  return import(entryPoint());
}

/** How BullMQ reaches a Redis on this machine. */
export function connectionTo(port: number): Options['connection'] {
  return { host: '127.0.0.1', port, maxRetriesPerRequest: null };
}

function entryPoint(): string {
  return createRequire(import.meta.url).resolve('bullmq');
}
