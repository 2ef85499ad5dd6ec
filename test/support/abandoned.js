// Directories of tests by the process that made them, so that those of a run that was killed can be told from those in use.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const NAME = /^muster-([0-9a-f]{4})\.(\d+)\.[A-Za-z0-9]{6}$/;

/** What the name of a directory of this process begins with; `mkdtemp` adds six characters. */
export function ownPrefix() {
  return `muster-${numbersOf()}.${process.pid}.`;
}

/**
 * Removes from these directories what tests of processes left there that are no more. What another numbering of processes
 * has made (a container, an earlier boot) stays, and so does what something is mounted below. Gives what is gone.
 */
export function clearAbandoned(parents) {
  const gone = parents.flatMap((parent) => abandonedIn(parent).map((name) => join(parent, name)));
  const mounted = mountPoints();
  return gone.filter((directory) => {
    if (mounted.some((place) => place.startsWith(`${directory}/`) || place === directory)) return false;
    try {
      rmSync(directory, { recursive: true, force: true });
      return true;
    } catch {
      return false; // of another user
    }
  });
}

function abandonedIn(parent) {
  const numbers = numbersOf();
  return namesIn(parent).filter((name) => {
    const [, of, pid] = NAME.exec(name) ?? [];
    return of === numbers && !isAlive(Number(pid));
  });
}

/** Which numbering of processes this is: that of this boot, in this namespace. */
function numbersOf() {
  const boot = textOf(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'));
  const namespace = textOf(() => readlinkSync('/proc/self/ns/pid'));
  return createHash('sha256').update(`${boot} ${namespace}`).digest('hex').slice(0, 4);
}

/** A number that was given anew counts as alive: then something stays, and nothing in use goes. */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code !== 'ESRCH';
  }
}

function mountPoints() {
  const text = textOf(() => readFileSync('/proc/self/mountinfo', 'utf8'));
  return text.split('\n').map((line) => line.split(' ')[4] ?? '');
}

function namesIn(directory) {
  try {
    return readdirSync(directory);
  } catch {
    return []; // another system has no such place
  }
}

function textOf(read) {
  try {
    return read();
  } catch {
    return '';
  }
}
