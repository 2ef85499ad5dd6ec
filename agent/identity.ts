import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { MusterError } from '../protocol/errors.js';
import { Id } from '../protocol/ids.js';
import { Enrolled } from '../protocol/messages/enrollment.js';
import { writeFileAtomic } from '../runtime/atomic-file.js';
import { errnoOf } from '../runtime/errno.js';

/** What enrollment gave this node, as it lies in `identity.json` (0600). The private key lies beside it. */
export const Identity = Enrolled.pick({
  v: true,
  org: true,
  prefix: true,
  root: true,
  keys: true,
  broker: true,
  enrolled_at: true,
}).extend({
  node: Id,
  controller_url: z.string().max(512).optional().describe('Where it enrolled, and renews a password that has expired'),
});
export type Identity = Readonly<z.infer<typeof Identity>>;

/** The identity on disk, and the newest key list and password as they come. */
export type IdentityFile = Readonly<{
  readonly current: Identity;
  /** Used from now on; durable when it returns. @throws {MusterError} storage_failed: it is in memory alone */
  update: (change: Readonly<{ keys?: string; password?: string }>) => void;
}>;

/** Stores a new identity, or loads the one that is there. */
export function createIdentityFile(dataDir: string, identity: Identity): IdentityFile {
  let current = identity;
  const file = identityPath(dataDir);
  return {
    get current() {
      return current;
    },
    update({ keys = current.keys, password = current.broker.password }) {
      current = { ...current, keys, broker: { ...current.broker, password } };
      save(file, current);
    },
  };
}

/**
 * The stored identity; undefined before the node is enrolled.
 * @throws {MusterError} config_invalid
 */
export function loadIdentity(dataDir: string): Identity | undefined {
  const file = identityPath(dataDir);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return Identity.parse(JSON.parse(text));
  } catch (cause) {
    throw new MusterError('config_invalid', `The file ${file} is damaged; remove it and enroll the node again`, {
      cause,
    });
  }
}

/** Makes the identity durable. */
export function saveIdentity(dataDir: string, identity: Identity): void {
  save(identityPath(dataDir), identity);
}

function save(file: string, identity: Identity): void {
  try {
    writeFileAtomic(file, `${JSON.stringify(identity, null, 2)}\n`, 0o600);
  } catch (cause) {
    throw new MusterError('storage_failed', `The file ${file} cannot be written`, { cause });
  }
}

function identityPath(dataDir: string): string {
  return join(dataDir, 'identity.json');
}
