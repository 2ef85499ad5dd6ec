import { closeSync, readdirSync, readFileSync } from 'node:fs';
import { errnoOf } from '../runtime/errno.js';

/** O_CLOEXEC in the flags of /proc/self/fdinfo; Node opens nothing without it. */
const CLOSE_ON_EXEC = 0o2000000;

/**
 * Closes what the process was started with beside its first three descriptors and the channel to its parent, so that no
 * program that it starts gets it. Node sees to the low descriptors by itself and stops at the first gap above. To be
 * called before anything else is started; gives what it closed. Only Linux tells what is open.
 */
export function closeInherited(): readonly number[] {
  const channel: unknown = process.channel === undefined ? undefined : Reflect.get(process.channel, 'fd');
  const inherited = openDescriptors().filter((fd) => fd > 2 && fd !== channel && passesOn(fd));
  for (const fd of inherited) closeSync(fd);
  return inherited;
}

function openDescriptors(): number[] {
  try {
    return readdirSync('/proc/self/fd').map(Number);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return [];
  }
}

/** Whether a child gets this descriptor; not the one that the list was read with, which is closed by now. */
function passesOn(fd: number): boolean {
  try {
    const flags = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return false;
  }
}
