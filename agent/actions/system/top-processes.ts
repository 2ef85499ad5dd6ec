import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Clock } from '../../../runtime/clock.js';

const SAMPLE_MS = 500;
const MAX_PROCESSES = 8192;
/** USER_HZ, in which Linux counts for programs whatever it counts in itself; time(7). */
const TICKS_PER_SECOND = 100;

/** A process that uses much. */
export const TopProcess = z.object({
  pid: z.int(),
  name: z.string().describe('As the kernel keeps it, at most 15 bytes'),
  cpu_percent: z.number().describe('100 is one core; over half a second'),
  rss_bytes: z.number().nullable().describe('Memory that it holds, null when it has ended meanwhile'),
});
export type TopProcess = Readonly<z.infer<typeof TopProcess>>;

/** All processes that can be seen, and those that use most. */
export const TopProcesses = z.object({
  count: z.int().describe('Processes that the agent can see'),
  by_cpu: z.array(TopProcess),
  by_memory: z.array(TopProcess),
});
export type TopProcesses = Readonly<z.infer<typeof TopProcesses>>;

type Sample = Readonly<{ pid: string; name: string; startedAt: string; ticks: number; pages: number }>;

/** Looks at all processes twice, half a second apart; `limit` is how many of each kind are named. */
export async function readTopProcesses(
  { proc, limit, clock }: { proc: string; limit: number; clock: Clock },
  signal: AbortSignal,
): Promise<TopProcesses> {
  const before = await sampleAll(proc, signal);
  const startMs = clock.monotonicMs();
  await delay(SAMPLE_MS, undefined, { signal });
  const after = await sampleAll(proc, signal);
  const seconds = (clock.monotonicMs() - startMs) / 1000;
  const cpuOf = (now: Sample): number => {
    const then = before.get(now.pid);
    const ticks = then?.startedAt === now.startedAt ? now.ticks - then.ticks : 0;
    return Math.max(0, Math.round((ticks / TICKS_PER_SECOND / seconds) * 1000) / 10);
  };
  const toTop = async (sample: Sample): Promise<TopProcess> => ({
    pid: Number(sample.pid),
    name: sample.name,
    cpu_percent: cpuOf(sample),
    rss_bytes: await residentBytes(join(proc, sample.pid, 'status')),
  });
  const samples = [...after.values()];
  const byCpu = samples.toSorted((a, b) => cpuOf(b) - cpuOf(a)).slice(0, limit);
  const byMemory = samples.toSorted((a, b) => b.pages - a.pages).slice(0, limit);
  return {
    count: samples.length,
    by_cpu: await Promise.all(byCpu.map(toTop)),
    by_memory: await Promise.all(byMemory.map(toTop)),
  };
}

async function sampleAll(proc: string, signal: AbortSignal): Promise<Map<string, Sample>> {
  const pids = (await readdir(proc)).filter((name) => /^\d+$/.test(name)).slice(0, MAX_PROCESSES);
  const samples = new Map<string, Sample>();
  for (const pid of pids) {
    signal.throwIfAborted();
    const stat = await readFile(join(proc, pid, 'stat'), 'utf8').catch(() => undefined);
    const sample = stat === undefined ? undefined : toSample(pid, stat);
    if (sample !== undefined) samples.set(pid, sample);
  }
  return samples;
}

/** proc_pid_stat(5); the name stands in brackets and may hold brackets and blanks itself. */
function toSample(pid: string, stat: string): Sample | undefined {
  const open = stat.indexOf('(');
  const close = stat.lastIndexOf(')');
  if (open === -1 || close < open) return undefined;
  const fields = stat.slice(close + 2).split(' ');
  const [user = '0', system = '0'] = fields.slice(11, 13);
  const [startedAt = ''] = fields.slice(19, 20);
  const [pages = '0'] = fields.slice(21, 22);
  return {
    pid,
    name: stat.slice(open + 1, close),
    startedAt,
    ticks: Number(user) + Number(system),
    pages: Number(pages),
  };
}

/** In bytes, since the size of a page differs between machines. */
async function residentBytes(status: string): Promise<number | null> {
  const text = await readFile(status, 'utf8').catch(() => '');
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(text) ?? [];
  return kilobytes === undefined ? null : Number(kilobytes) * 1024;
}
