import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Line } from '../main.js';
import { percentile } from '../statistics.js';
import { startAgent } from './agent.js';
import type { ScriptedController } from './scripted-controller.js';
import type { Site } from './site.js';

const ROUNDS = 5;
const DISK_MS = 1_000;
const STARTS_MS = 4_000;
const RECORD_BYTES = 300;
const MANY = 200;
const AIM = 0.5;

/** Starts that are on disk, counted by their acks, in turns with the disk's own rate. */
export async function measureDurableStarts({ dataDir, brokerUrl, controller }: Site): Promise<Line[]> {
  const agent = await startAgent(dataDir, brokerUrl, [`--max-concurrent=${2 * MANY}`]);
  const disk: number[] = [];
  const one: number[] = [];
  const many: number[] = [];
  await startsPerSecond(controller, { atOnce: MANY, forMs: DISK_MS }); // compiles what the first ones run through
  for (let round = 0; round < ROUNDS; round += 1) {
    disk.push(syncsPerSecond(dataDir));
    one.push(await startsPerSecond(controller, { atOnce: 1, forMs: STARTS_MS }));
    disk.push(syncsPerSecond(dataDir));
    many.push(await startsPerSecond(controller, { atOnce: MANY, forMs: STARTS_MS }));
  }
  await agent.stop();
  const rate = percentile(disk, 0.5);
  return [
    { what: `disk, appends of ${RECORD_BYTES} bytes with fdatasync`, figures: inWords(disk) },
    {
      what: 'durable starts, one at a time',
      figures: `${inWords(one)}, ${(percentile(one, 0.5) / rate).toFixed(2)} × disk`,
    },
    {
      what: `durable starts, ${MANY} at once`,
      figures: inWords(many),
      aim: `${(percentile(many, 0.5) / rate).toFixed(2)} × disk, aim ≥ ${AIM}`,
      met: percentile(many, 0.5) >= AIM * rate,
    },
  ];
}

/** Keeps so many requests without an ack; waits for the last results before it returns. */
async function startsPerSecond(
  controller: ScriptedController,
  { atOnce, forMs }: { atOnce: number; forMs: number },
): Promise<number> {
  let started = 0;
  const results: Promise<unknown>[] = [];
  const startMs = performance.now();
  const endMs = startMs + forMs;
  async function lane(): Promise<void> {
    while (performance.now() < endMs) {
      const { accepted, ended } = controller.ask({ action: 'gather_info' });
      await accepted;
      started += 1;
      results.push(ended);
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane));
  const seconds = (performance.now() - startMs) / 1000;
  await Promise.all(results);
  return started / seconds;
}

function syncsPerSecond(directory: string): number {
  const file = join(directory, 'bench-disk');
  const descriptor = openSync(file, 'a', 0o600);
  const bytes = Buffer.alloc(RECORD_BYTES, 120);
  const startMs = performance.now();
  let syncs = 0;
  for (; performance.now() - startMs < DISK_MS; syncs += 1) {
    writeSync(descriptor, bytes);
    fdatasyncSync(descriptor);
  }
  const seconds = (performance.now() - startMs) / 1000;
  closeSync(descriptor);
  rmSync(file);
  return syncs / seconds;
}

function inWords(rates: readonly number[]): string {
  return `median ${percentile(rates, 0.5).toFixed(0)}/s of ${rates.length}`;
}
