import { createHash, randomBytes } from 'node:crypto';
import { lstatSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import { errnoOf } from '../../runtime/errno.js';

/** How a link that proves a caller may be called: nobody can guess it. */
export const PROOF_NAME = /^[0-9a-f]{32}$/;

/** What a socket is, beyond its name: a challenge that is passed on from another socket is worth nothing. */
export type SocketIdentity = Readonly<{ dev: bigint; ino: bigint }>;

/** @throws {Error} with an errno */
export function identityOf(socketPath: string): SocketIdentity {
  const { dev, ino } = lstatSync(socketPath, { bigint: true });
  return { dev, ino };
}

/** A challenge for one connection. */
export function createNonce(): string {
  return randomBytes(16).toString('hex');
}

/**
 * A caller's answer to a challenge: a symbolic link whose text only somebody who was asked over this socket can know.
 * Its owner is the uid that the kernel has made it under. Gives its name.
 * @throws {Error} with an errno: EACCES for whom the agent does not let in at all
 */
export function makeProof(
  callers: string,
  nonce: string,
  socket: SocketIdentity,
): { name: string; remove: () => void } {
  const name = randomBytes(16).toString('hex');
  const link = `${callers}/${name}`;
  symlinkSync(proofText(nonce, socket), link);
  return { name, remove: () => removeLink(link) };
}

/**
 * The uid of who answered the challenge with this link, which is removed; undefined when it proves nothing.
 * The owner is read before the text: the directory is sticky, so that a link which belongs to somebody else than the
 * caller cannot be exchanged in between, while the caller's own could be.
 */
export function checkProof(callers: string, name: string, { nonce, socket }: Challenge): number | undefined {
  if (!PROOF_NAME.test(name)) return undefined;
  const link = `${callers}/${name}`;
  try {
    const stats = lstatSync(link);
    const isProof = stats.isSymbolicLink() && stats.nlink === 1 && readlinkSync(link) === proofText(nonce, socket);
    return isProof ? stats.uid : undefined;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  } finally {
    removeLink(link);
  }
}

/** What a caller was asked, over which socket. */
export type Challenge = Readonly<{ nonce: string; socket: SocketIdentity }>;

function proofText(nonce: string, { dev, ino }: SocketIdentity): string {
  return createHash('sha256').update(`muster-local ${nonce} ${dev} ${ino}`).digest('hex');
}

/** Gone already, or a directory that somebody put there: neither matters. */
function removeLink(link: string): void {
  try {
    unlinkSync(link);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}
