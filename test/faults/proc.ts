import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

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
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return (Number(user) + Number(system)) / 100;
}

/** Processes whose command line or environment holds this text. */
export function findProcesses(mark: string): { pid: number; command: string }[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    const command = readText(`/proc/${pid}/cmdline`);
    if (!command.includes(mark) && !readText(`/proc/${pid}/environ`).includes(mark)) return [];
    return command === '' ? [] : [{ pid, command: command.replaceAll('\0', ' ').trim() }];
  });
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
