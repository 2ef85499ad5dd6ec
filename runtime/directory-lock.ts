import { randomUUID } from 'node:crypto';
import { chmodSync, chownSync, linkSync, lstatSync, mkdirSync, readdirSync, statSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { MusterError } from '../protocol/errors.js';
import { errnoOf } from './errno.js';
import { fitsSocketAddress, type HeldDirectory, holdDirectory } from './held-directory.js';

/** Held until `release()`, or until the process is gone. */
export type DirectoryLock = Readonly<{ release: () => Promise<void> }>;

/** Inside the directory that it locks; only its owner enters. */
const LOCK_DIRECTORY = 'lock';
/** Each time it is taken the lock has the next number, so that a name never means two holders. */
const NUMBER = /^[1-9]\d{0,15}$/;
/** How the name of a socket begins that has no number yet. */
const CLAIM = 'claim-';
/** Somebody else gets ahead each time: a machine where that happens more often is not one that starts us by mistake. */
const MAX_TRIES = 100;

/**
 * Locks a directory for this process: the highest numbered socket in its lock directory answers while its holder lives.
 * The kernel makes it deaf when the holder is gone, however it ended, and its name is reached from every network
 * namespace and by nobody who may not enter the directory.
 * @throws {MusterError} already_running, data_dir_unusable
 */
export async function lockDirectory(path: string): Promise<DirectoryLock> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  let held: HeldDirectory | undefined;
  try {
    held = holdDirectory(makeLockDirectory(path));
    const claim = await listenAside(server, held);
    const number = await take(held, claim);
    unlinkUnlessGone(claim);
    if (number === undefined) throw new MusterError('already_running', `Another process already uses ${path}`);
    await removeDead(held, number);
    return { release: () => close(server) };
  } catch (cause) {
    await close(server); // which takes the name away that it was bound to
    if (cause instanceof MusterError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MusterError('data_dir_unusable', `The directory ${path} cannot be locked: ${why}`, { cause });
  } finally {
    held?.close();
  }
}

/** Root may lock the directory of another user, who has to be able to lock it afterwards. */
function makeLockDirectory(path: string): string {
  const lock = join(path, LOCK_DIRECTORY);
  const { uid, gid } = statSync(path);
  const isRoot = process.geteuid?.() === 0;
  try {
    mkdirSync(lock, { mode: 0o700 });
    if (isRoot) chownSync(lock, uid, gid);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  const stats = lstatSync(lock);
  if (!stats.isDirectory()) throw new Error(`${lock} is not a directory`);
  if (![uid, 0, process.geteuid?.()].includes(stats.uid)) throw new Error(`${lock} belongs to somebody else`);
  if ((stats.mode & 0o777) !== 0o700) chmodSync(lock, 0o700);
  return lock;
}

/** Listens under a name that nobody asks: what gets a number has to answer from that moment on. */
async function listenAside(server: Server, held: HeldDirectory): Promise<string> {
  const claim = held.path(`${CLAIM}${randomUUID()}`);
  if (!fitsSocketAddress(claim)) throw new Error('the path is too long for a socket');
  await new Promise<void>((listening, failed) => {
    server.once('error', failed);
    server.listen(claim, () => {
      server.off('error', failed);
      server.on('error', () => undefined); // a caller that cannot be accepted was answered by the kernel already
      listening();
    });
  });
  return claim;
}

/**
 * Gives the claim the number after the highest, whose holder must be gone; undefined when it lives. Two that do so at
 * once cannot both succeed, since a link never replaces a name, and whoever was overtaken between looking and linking
 * sees the higher number: the highest is never removed.
 */
async function take(held: HeldDirectory, claim: string): Promise<number | undefined> {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const highest = highestOf(held);
    if (highest > 0 && (await isAlive(held.path(String(highest))))) return undefined;
    const number = highest + 1;
    const own = held.path(String(number));
    try {
      chmodSync(claim, 0o666); // the owner of the directory may ask a socket of root, and nobody else gets here
      linkSync(claim, own);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined; // tidied away before it listened, by one who holds the lock
      if (errnoOf(error) !== 'EEXIST') throw error;
      continue;
    }
    if (highestOf(held) === number) return number;
    unlinkUnlessGone(own);
  }
  return undefined;
}

function highestOf(held: HeldDirectory): number {
  const names = readdirSync(held.path('.'));
  return names.filter((name) => NUMBER.test(name)).reduce((highest, name) => Math.max(highest, Number(name)), 0);
}

/** Only a refusal means that nobody listens; one that is merely stopped or busy lives. */
function isAlive(address: string): Promise<boolean> {
  return new Promise((told) => {
    const socket = connect(address);
    socket.once('connect', () => {
      socket.destroy();
      told(true);
    });
    socket.once('error', (error) => told(errnoOf(error) !== 'ECONNREFUSED'));
  });
}

/**
 * The holder takes away what others left: old numbers, and claims that answer no more. Its predecessor's number stays,
 * for whoever still reads the names.
 */
async function removeDead(held: HeldDirectory, number: number): Promise<void> {
  for (const name of readdirSync(held.path('.'))) {
    const isOld = NUMBER.test(name)
      ? Number(name) < number - 1
      : name.startsWith(CLAIM) && !(await isAlive(held.path(name)));
    if (isOld) unlinkUnlessGone(held.path(name));
  }
}

function unlinkUnlessGone(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

function close(server: Server): Promise<void> {
  return new Promise((closed) => server.close(() => closed()));
}
