import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { type Clock, toTime } from '../../../runtime/clock.js';
import { errnoOf } from '../../../runtime/errno.js';
import { VERSION } from '../../../runtime/version.js';
import type { Action } from '../action.js';
import { Disk, type DiskReader } from '../system/disks.js';
import { readTemperatures, Temperature } from '../system/temperatures.js';
import { readTopProcesses, TopProcesses } from '../system/top-processes.js';
import { invalidParameter, printJson } from './answers.js';

const DEFAULT_TOP = 5;
const MAX_TOP = 50;

const Load = z.object({
  one: z.number().describe('Mean number of processes that ran or waited, over one minute'),
  five: z.number(),
  fifteen: z.number(),
  cpus: z.int().describe('Cores that the agent may use'),
});

const Memory = z.object({
  total_bytes: z.number().nullable(),
  available_bytes: z.number().nullable().describe('What programs may still take without swapping'),
  swap_total_bytes: z.number().nullable(),
  swap_free_bytes: z.number().nullable(),
});

/** What `diagnostics` prints. What the node does not tell is null, or missing from its list. */
export const Diagnostics = z.object({
  at: z.iso.datetime().describe("By the node's own clock"),
  uptime_seconds: z.number().nullable().describe('Since the machine started'),
  kernel: z.string().nullable(),
  os: z.string().nullable().describe('From os-release, such as `Debian GNU/Linux 12 (bookworm)`'),
  load: Load.nullable(),
  memory: Memory.nullable(),
  disks: z.array(Disk),
  temperatures: z.array(Temperature),
  processes: TopProcesses.nullable(),
  agent: z.object({
    version: z.string(),
    runtime: z.string(),
    pid: z.int(),
    uptime_seconds: z.number(),
    rss_bytes: z.number().describe('Memory that the agent holds'),
    cpu_seconds: z.number().describe('Processor time that it has used since its start'),
  }),
});
export type Diagnostics = Readonly<z.infer<typeof Diagnostics>>;

/** How the machine is, read from /proc, /sys and the file systems themselves. `root` is where those are found. */
export function diagnostics({ disks, clock, root = '/' }: { disks: DiskReader; clock: Clock; root?: string }): Action {
  const proc = join(root, 'proc');
  const read = async (...path: string[]): Promise<string | undefined> =>
    readFile(join(root, ...path), 'utf8').catch(() => undefined);
  return {
    name: 'diagnostics',
    description: 'Load, memory, disks, temperatures, uptime, the processes that use most, and the agent itself',
    risk: 'read',
    parameters: [
      {
        name: 'top',
        type: 'integer',
        required: false,
        default: DEFAULT_TOP,
        description: `Processes to name, 0 to ${MAX_TOP}`,
      },
    ],
    prints: Diagnostics,
    async run({ parameters, output, signal }) {
      const limit = Number(parameters.get('top') ?? DEFAULT_TOP);
      if (limit < 0 || limit > MAX_TOP) return invalidParameter(`parameter top must be 0 to ${MAX_TOP}`);
      const [found, temperatures, processes] = await Promise.all([
        unlessUnreadable(disks.read()),
        readTemperatures(join(root, 'sys/class')),
        limit === 0 ? null : unlessUnreadable(readTopProcesses({ proc, limit, clock }, signal)),
      ]);
      signal.throwIfAborted();
      printJson<Diagnostics>(output, {
        at: toTime(clock.nowMs()),
        uptime_seconds: firstNumber(await read('proc/uptime')),
        kernel: (await read('proc/sys/kernel/osrelease'))?.trim() ?? null,
        os: osName((await read('etc/os-release')) ?? (await read('usr/lib/os-release'))),
        load: toLoad(await read('proc/loadavg')),
        memory: toMemory(await read('proc/meminfo')),
        disks: found ?? [],
        temperatures,
        processes,
        agent: aboutAgent(),
      });
      return { kind: 'exited', exitCode: 0 };
    },
  };
}

/** Without /proc there is less to tell, and still something. */
async function unlessUnreadable<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return null;
  }
}

function toLoad(text: string | undefined): z.infer<typeof Load> | null {
  const [one, five, fifteen] = (text ?? '').split(' ', 3).map(Number);
  if (one === undefined || five === undefined || fifteen === undefined) return null;
  return { one, five, fifteen, cpus: availableParallelism() };
}

function toMemory(text: string | undefined): z.infer<typeof Memory> | null {
  if (text === undefined) return null;
  const bytesOf = (key: string): number | null => {
    const [, kilobytes] = new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(text) ?? [];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  };
  return {
    total_bytes: bytesOf('MemTotal'),
    available_bytes: bytesOf('MemAvailable'),
    swap_total_bytes: bytesOf('SwapTotal'),
    swap_free_bytes: bytesOf('SwapFree'),
  };
}

function osName(text: string | undefined): string | null {
  const [, name] = /^PRETTY_NAME=(.+)$/m.exec(text ?? '') ?? [];
  return name?.replace(/^(["'])(.*)\1$/, '$2').slice(0, 256) ?? null;
}

function firstNumber(text: string | undefined): number | null {
  const value = Number.parseFloat(text ?? '');
  return Number.isNaN(value) ? null : value;
}

function aboutAgent(): Diagnostics['agent'] {
  const { user, system } = process.cpuUsage();
  return {
    version: VERSION,
    runtime: `node ${process.version}`,
    pid: process.pid,
    uptime_seconds: Math.round(process.uptime()),
    rss_bytes: process.memoryUsage.rss(),
    cpu_seconds: Math.round((user + system) / 1e4) / 100,
  };
}
