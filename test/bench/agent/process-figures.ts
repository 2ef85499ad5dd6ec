import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** MiB of a process: resident, the part that it shares with no file, and the most that was ever resident. */
export type Memory = Readonly<{ residentMiB: number; anonymousMiB: number; peakMiB: number }>;

/** From /proc/PID/status. */
export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mib = (name: string): number => {
    const [, kib = 'NaN'] = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status) ?? [];
    return Number(kib) / 1024;
  };
  return { residentMiB: mib('VmRSS'), anonymousMiB: mib('RssAnon'), peakMiB: mib('VmHWM') };
}

/** Seconds of processor time that a process has used, its own and the kernel's. */
export function processorSeconds(pid: number): number {
  const [, rest = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  const fields = rest.split(' '); // from field 3 on (proc(5)): utime is 14, stime 15
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond();
}

function ticksPerSecond(): number {
  return Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
}

/** What a least-squares line through the points gains in one unit of x. */
export function slope(points: readonly Readonly<{ x: number; y: number }>[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanX = mean(points.map(({ x }) => x));
  const meanY = mean(points.map(({ y }) => y));
  const covariance = points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0);
  return covariance / points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
}
