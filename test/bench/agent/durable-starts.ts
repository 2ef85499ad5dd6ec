import { syncsPerSecond } from '../disk.js';
import { percentile } from '../statistics.js';
import type { Line } from '../table.js';
import { startAgent } from './agent.js';
import type { ScriptedController } from './scripted-controller.js';
import type { Site } from './site.js';

const ROUNDS = 5;
/** Starts of a round: one at a time, and many at once. */
const ONE_COUNT = 2_000;
const MANY_COUNT = 10_000;
const RECORD_BYTES = 300;
const MANY = 200;
const AIM = 0.5;

/** Starts that are on disk, counted by their acks, in turns with the disk's own rate. */
export async function measureDurableStarts({ dataDir, brokerUrl, controller }: Site): Promise<Line[]> {
  const agent = await startAgent(dataDir, brokerUrl, [`--max-concurrent=${2 * MANY}`]);
  const disk: number[] = [];
  const one: number[] = [];
  const many: number[] = [];
  await startsPerSecond(controller, { atOnce: MANY, count: ONE_COUNT }); // compiles what the first ones run through
  for (let round = 0; round < ROUNDS; round += 1) {
    disk.push(syncsPerSecond(dataDir, RECORD_BYTES));
    one.push(await startsPerSecond(controller, { atOnce: 1, count: ONE_COUNT }));
    disk.push(syncsPerSecond(dataDir, RECORD_BYTES));
    many.push(await startsPerSecond(controller, { atOnce: MANY, count: MANY_COUNT }));
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

/** Signs the requests, then keeps so many of them without an ack; waits for the last results before it returns. */
async function startsPerSecond(
  controller: ScriptedController,
  { atOnce, count }: { atOnce: number; count: number },
): Promise<number> {
  const requests = Array.from({ length: count }, () => controller.prepare({ action: 'gather_info' })).values();
  const results: Promise<unknown>[] = [];
  const startMs = performance.now();
  async function lane(): Promise<void> {
    for (const request of requests) {
      const { accepted, ended } = controller.send(request);
      await accepted;
      results.push(ended);
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane));
  const seconds = (performance.now() - startMs) / 1000;
  await Promise.all(results);
  return count / seconds;
}

function inWords(rates: readonly number[]): string {
  return `median ${percentile(rates, 0.5).toFixed(0)}/s of ${rates.length}`;
}
