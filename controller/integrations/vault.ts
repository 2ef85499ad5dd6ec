import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MusterError } from '../../protocol/errors.js';
import { writeFileAtomic } from '../../runtime/atomic-file.js';
import { errnoOf } from '../../runtime/errno.js';

/** Seals secrets for the store, under a key that lies beside it and never in it. */
export type Vault = Readonly<{
  /** `context` says where it belongs: it opens only there. @throws {MusterError} unsafe_key */
  seal: (secret: string, context: string) => string;
  /** @throws {MusterError} unsafe_key: another key, another place, or altered */
  open: (sealed: string, context: string) => string;
}>;

export const VAULT_KEY_FILE = 'integrations.key';

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;

type Key = Readonly<{ id: string; octets: Buffer }>;

/** AES-256-GCM. The key is read when it is needed, and made (0600, durable) when something is sealed for the first time. */
export function createVault(directory: string): Vault {
  const file = join(directory, VAULT_KEY_FILE);
  return {
    seal(secret, context) {
      const key = readKey(file) ?? makeKey(file);
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv(CIPHER, key.octets, iv, { authTagLength: TAG_BYTES });
      cipher.setAAD(Buffer.from(context));
      const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
      return ['v1', key.id, ...[iv, text, cipher.getAuthTag()].map((part) => part.toString('base64url'))].join('.');
    },
    open(sealed, context) {
      const key = readKey(file);
      const [, id, ...parts] = sealed.split('.');
      const [iv, text, tag] = parts.map((part) => Buffer.from(part, 'base64url'));
      if (key === undefined || key.id !== id) {
        throw new MusterError(
          'unsafe_key',
          `The credential was sealed under another key than ${VAULT_KEY_FILE} of this controller`,
        );
      }
      if (iv === undefined || text === undefined || tag === undefined) throw altered();
      try {
        const decipher = createDecipheriv(CIPHER, key.octets, iv, { authTagLength: TAG_BYTES });
        decipher.setAAD(Buffer.from(context));
        decipher.setAuthTag(tag);
        return Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8');
      } catch (cause) {
        throw altered(cause);
      }
    },
  };
}

function altered(cause?: unknown): MusterError {
  return new MusterError('unsafe_key', 'The integration or its credential was altered in the store', { cause });
}

function makeKey(file: string): Key {
  const octets = randomBytes(KEY_BYTES);
  writeFileAtomic(file, `${octets.toString('base64')}\n`, 0o600);
  return { id: idOf(octets), octets };
}

/** Undefined when there is none yet. @throws {MusterError} unsafe_key */
function readKey(file: string): Key | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw new MusterError('unsafe_key', `${VAULT_KEY_FILE} cannot be read`, { cause });
  }
  const octets = Buffer.from(text.trim(), 'base64');
  if (octets.length !== KEY_BYTES) throw new MusterError('unsafe_key', `${VAULT_KEY_FILE} does not hold a key of ours`);
  return { id: idOf(octets), octets };
}

/** By this a sealed text says under which key it is; the key does not follow from it. */
function idOf(octets: Buffer): string {
  return createHash('sha256').update('muster vault key id').update(octets).digest('hex').slice(0, 16);
}
