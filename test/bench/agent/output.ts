import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { percentile } from '../statistics.js';
import type { Line } from '../table.js';
import { startAgent } from './agent.js';
import { memoryOf, processorSeconds } from './process-figures.js';
import type { BenchResult } from './scripted-controller.js';
import type { Site } from './site.js';

const MIB = 1024 * 1024;
const BYTES = 1024 * MIB;
const ROUNDS = 5;
/** What an execution may hold: 4 × `max_output_bytes`, which is 1 MiB by default. */
const FLAT_MIB = 4;
const SCRIPT = `#!/bin/sh\nyes 'the quick brown fox jumps over the lazy dog' | head -c ${BYTES}\n`;

/** A hook that writes a GiB, in turns with a bare Node that reads the same from a pipe and drops it. */
export async function measureOutput({ dataDir, brokerUrl, controller }: Site): Promise<Line[]> {
  const hooks = join(dataDir, '..', 'hooks');
  mkdirSync(hooks, { mode: 0o755 });
  const hook = join(hooks, 'flood');
  writeFileSync(hook, SCRIPT);
  chmodSync(hook, 0o755);
  const agent = await startAgent(dataDir, brokerUrl, [`--hooks-dir=${hooks}`]);
  const checksum = createHash('sha256').update(SCRIPT).digest('hex');
  const flood = async (): Promise<BenchResult> => controller.ask({ action: 'flood', checksum }).ended;
  const bare: z.infer<typeof Reading>[] = [];
  const rates: number[] = [];
  const cpu: number[] = [];
  const peaks: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    bare.push(await readBare(hook));
    const cpuBefore = processorSeconds(agent.pid);
    const { status, error, duration_ms: durationMs } = await flood();
    if (status !== 'success') throw new Error(`the hook ended as ${status}: ${error}`);
    cpu.push(processorSeconds(agent.pid) - cpuBefore);
    rates.push(BYTES / MIB / (durationMs / 1000));
    peaks.push(memoryOf(agent.pid).peakMiB);
  }
  await agent.stop();
  const median = (values: readonly number[]): number => percentile(values, 0.5);
  const bareRate = median(bare.map(({ rate }) => rate));
  const bareCpu = median(bare.map(({ cpuSeconds }) => cpuSeconds));
  const [first = Number.NaN] = peaks;
  const growth = Math.max(...peaks) - first;
  return [
    {
      what: 'bare Node, `yes` from a pipe',
      figures: `median ${bareRate.toFixed(0)} MiB/s, ${bareCpu.toFixed(2)} s of processor, most resident ${Math.max(...bare.map(({ peakMiB }) => peakMiB)).toFixed(1)} MiB`,
    },
    {
      what: 'agent, output of `yes` (1 GiB each)',
      figures: `median ${median(rates).toFixed(0)} MiB/s, ${(median(rates) / bareRate).toFixed(2)} × bare Node; ${median(cpu).toFixed(2)} s of processor`,
    },
    {
      what: 'agent under `yes`, most resident',
      figures: `${first.toFixed(1)} MiB with the first GiB, ${Math.max(...peaks).toFixed(1)} with ${ROUNDS}`,
      aim: `grew by ${growth.toFixed(1)} MiB, aim ≤ ${FLAT_MIB}`,
      met: growth <= FLAT_MIB,
    },
  ];
}

const READER = `
const child = require('node:child_process').spawn(process.argv[1], { stdio: ['ignore', 'pipe', 'ignore'] });
const startMs = performance.now();
let bytes = 0;
child.stdout.on('data', (part) => { bytes += part.length; });
child.stdout.on('end', () => process.stdout.write(JSON.stringify({
  rate: bytes / ${MIB} / ((performance.now() - startMs) / 1000),
  peakMiB: process.resourceUsage().maxRSS / 1024,
  cpuSeconds: (process.cpuUsage().user + process.cpuUsage().system) / 1e6,
})));`;
const Reading = z.object({ rate: z.number(), peakMiB: z.number(), cpuSeconds: z.number() });

async function readBare(program: string): Promise<z.infer<typeof Reading>> {
  const child = spawn(process.execPath, ['-e', READER, program], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  await once(child, 'close');
  return Reading.parse(JSON.parse(text));
}
