import { closeSync, fdatasyncSync, mkdtempSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { startCandidate } from './candidate-process.js';

const SINGLE = 300;
const TOGETHER = 12_800;
const IN_FLIGHT = 64;
const LIVES = 500;
const ENTRIES = 10_000;
const SYNCS = 200;
const RECORD_BYTES = 800;

/** Starts per second, and how often a second the disk synced just before. */
export type Rates = Readonly<{ single: number; together: number; disk: number }>;

/** What a candidate writes and takes. */
export type Needs = Readonly<{ bytesPerLife: number; reopenMs: number; reopenedMiB: number }>;

const Measured = z.object({ ms: z.number(), writtenBytes: z.number() });

/** One round: other work on the machine changes from minute to minute, so the disk is measured in each. */
export async function measureRates(name: string, parent: string): Promise<Rates> {
  const disk = measureDisk(parent);
  const rate = async (count: number, inFlight: number): Promise<number> => {
    const candidate = await startCandidate(name, mkdtempSync(join(parent, 'rate-')));
    await candidate.ask(Measured, { do: 'starts', count: Math.ceil(count / 10), inFlight });
    const { ms } = await candidate.ask(Measured, { do: 'starts', count, inFlight });
    await candidate.kill();
    return (count / ms) * 1000;
  };
  return { single: await rate(SINGLE, 1), together: await rate(TOGETHER, IN_FLIGHT), disk };
}

/** Measures a candidate in new directories below `parent`. */
export async function measureNeeds(name: string, parent: string): Promise<Needs> {
  const lives = await startCandidate(name, mkdtempSync(join(parent, 'lives-')));
  const { writtenBytes } = await lives.ask(Measured, { do: 'lives', count: LIVES, inFlight: 1 });
  await lives.kill();

  const directory = mkdtempSync(join(parent, 'reopen-'));
  const filled = await startCandidate(name, directory);
  await filled.ask(z.object({ done: z.literal(true) }), { do: 'fill', count: ENTRIES });
  await filled.kill();
  const again = await startCandidate(name, directory);
  await again.kill();
  const { ms: reopenMs, growthBytes } = again.opened;
  return { bytesPerLife: writtenBytes / LIVES, reopenMs, reopenedMiB: growthBytes / 2 ** 20 };
}

/** How often per second this disk brings an appended record to stable storage. */
function measureDisk(parent: string): number {
  const descriptor = openSync(join(mkdtempSync(join(parent, 'disk-')), 'file'), 'w');
  const record = Buffer.alloc(RECORD_BYTES, 'x');
  const startMs = performance.now();
  for (let count = 0; count < SYNCS; count += 1) {
    writeSync(descriptor, record);
    fdatasyncSync(descriptor);
  }
  const ms = performance.now() - startMs;
  closeSync(descriptor);
  return (SYNCS / ms) * 1000;
}
