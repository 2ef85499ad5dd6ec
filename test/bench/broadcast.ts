import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { startInstallation } from './controller-setup.js';
import { askFleet, type Fleet } from './fleet.js';
import { measureRawFanOut } from './raw.js';
import { percentile } from './statistics.js';
import type { Line } from './table.js';

const SIZES = [1_000, 5_000, 10_000];
const ROUNDS = 5;
const AIM = 3;
/** How long the largest may take. */
const MOST_SECONDS = 10;

/**
 * One fleet broadcast until every signed result is verified and stored, beside one bare publish until every client has
 * answered: with the same broker, settings and count of processes, before the agents are there.
 */
export async function* measureBroadcast(parent: string, fleet: Fleet): AsyncGenerator<Line> {
  const installation = await startInstallation(mkdtempSync(join(parent, 'raw-')));
  const raw = await measureRawFanOut(installation.access, SIZES, ROUNDS).finally(installation.stop);
  for (const size of SIZES) {
    const { api } = await fleet.of(size);
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) times.push((await askFleet(api, size)).ms);
    yield* linesOf(size, raw.get(size) ?? [], times);
  }
}

function linesOf(size: number, raw: readonly number[], times: readonly number[]): Line[] {
  const count = size.toLocaleString('en-US');
  const ms = percentile(times, 0.5);
  const ratio = ms / percentile(raw, 0.5);
  const isLargest = size === SIZES.at(-1);
  return [
    { what: `raw fan-out to ${count} and their replies`, figures: inWords(raw) },
    {
      what: `broadcast to ${count} agents until all stored`,
      figures: inWords(times),
      aim: `${ratio.toFixed(2)} × raw, aim ≤ ${AIM}${isLargest ? ` and ≤ ${MOST_SECONDS} s` : ''}`,
      met: ratio <= AIM && (!isLargest || ms <= MOST_SECONDS * 1000),
    },
  ];
}

function inWords(times: readonly number[]): string {
  return `median ${percentile(times, 0.5).toFixed(0)} ms, all ${times.map((ms) => ms.toFixed(0)).join(' ')}`;
}
