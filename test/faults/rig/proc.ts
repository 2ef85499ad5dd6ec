import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process of this machine; the start time tells it from a later one with the same pid. */
export type RunningProcess = Readonly<{ pid: number; startTime: string; command: string }>;

/**
 * The Node process below a wrapper such as strace, by its parent: the wrapper itself when it has become that process.
 * @throws {Error} when there is none
 */
export function findProgram(pid: number): number {
  for (let candidates = [pid]; candidates.length > 0; candidates = candidates.flatMap(childrenOf)) {
    const found = candidates.find((each) => programOf(each) === process.execPath);
    if (found !== undefined) return found;
  }
  throw new Error(`no Node process below ${pid}`);
}

/** How many files a process has open. */
export function countDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Processor time that a process has used, its threads included. Linux counts it in hundredths of a second. */
export function cpuSeconds(pid: number): number {
  const [user, system] = statOf(pid).slice(11, 13);
  return (Number(user) + Number(system)) / 100;
}

/** Processes whose command line or environment hold all of these texts. Arguments and variables are set apart by NUL. */
export function findProcesses(...marks: readonly [string, ...string[]]): RunningProcess[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    const command = readText(`/proc/${pid}/cmdline`);
    if (command === '') return [];
    const text = `${command}\0${readText(`/proc/${pid}/environ`)}`;
    if (!marks.every((mark) => text.includes(mark))) return [];
    return [{ pid, startTime: startTimeOf(pid), command: command.replaceAll('\0', ' ').trim() }];
  });
}

/** Whether this very process still runs; a zombie does not. */
export function isAlive({ pid, startTime }: RunningProcess): boolean {
  return startTimeOf(pid) === startTime && readText(`/proc/${pid}/cmdline`) !== '';
}

/** Ends what should have ended by itself. */
export function killProcess({ pid }: RunningProcess): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself after all.
  }
}

/** The ids of the threads of a process. */
export function threadsOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).map(Number);
}

function startTimeOf(pid: number): string {
  return statOf(pid)[19] ?? '';
}

/** The fields of /proc/PID/stat from the third on; the second may hold spaces and stands in brackets (man 5 proc). */
function statOf(pid: number): string[] {
  const text = readText(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function childrenOf(pid: number): number[] {
  return readText(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

function programOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return '';
  }
}

/** Empty for a process that has ended meanwhile: a zombie has neither command line nor environment. */
function readText(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
