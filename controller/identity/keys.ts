import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SigningKey } from '../../protocol/envelope.js';
import { isMusterError, MusterError } from '../../protocol/errors.js';
import { type KeyList, openKeyList, signKeyList } from '../../protocol/key-list.js';
import { admitKey, type VerifyKey } from '../../protocol/keys.js';
import { writeFileAtomic } from '../../runtime/atomic-file.js';
import { type Clock, toTime } from '../../runtime/clock.js';
import { errnoOf } from '../../runtime/errno.js';
import { type KeyPair, loadKey, loadOrCreateKey } from '../../runtime/key-file.js';

/**
 * What an org signs with. The broker and the nodes need `rootFile` and `listFile` only, which lie in a directory of
 * their own: it can be handed to a broker that must not see the private keys beside it.
 */
export type OrgKeys = Readonly<{
  root: VerifyKey;
  signing: SigningKey;
  list: KeyList;
  rootFile: string;
  listFile: string;
}>;

const LIST_LIFE_MS = 30 * 24 * 3600 * 1000;
/** A list is signed anew when less than this is left of it. */
const LIST_RENEWAL_MS = LIST_LIFE_MS / 2;

/**
 * The org's keys in this directory, made when they are missing: `root.key` and `signing.key` (0600),
 * `public/root.jwk.json` and `public/keys.jws`. The key list is renewed while `root.key` is there; it may be moved to
 * a safe place.
 * @throws {MusterError} unsafe_key, key_list_expired
 */
export function ensureKeys(directory: string, org: string, clock: Clock): OrgKeys {
  const publicDirectory = join(directory, 'public');
  if (!existsSync(publicDirectory)) mkdirSync(publicDirectory, { mode: 0o755 });
  const rootFile = join(publicDirectory, 'root.jwk.json');
  const listFile = join(publicDirectory, 'keys.jws');
  const { root, rootPair } = loadRoot(join(directory, 'root.key'), rootFile);
  const signing = loadOrCreateKey(join(directory, 'signing.key'));

  const stored = loadList(listFile, root, org);
  if (stored !== undefined && isFresh(stored, signing, clock.nowMs())) {
    return { root, signing: signing.signing, list: stored, rootFile, listFile };
  }
  if (rootPair === undefined) {
    if (stored?.keys.has(signing.signing.kid) && stored.notAfterMs > clock.nowMs()) {
      return { root, signing: signing.signing, list: stored, rootFile, listFile };
    }
    throw new MusterError(
      'key_list_expired',
      `The key list needs a new signature: put root.key back into ${directory}`,
    );
  }
  const version = (stored?.version ?? 0) + 1;
  const jws = signKeyList(
    { v: 1, org, version, keys: [signing.public.jwk], not_after: toTime(clock.nowMs() + LIST_LIFE_MS) },
    rootPair.signing,
  );
  writeFileAtomic(listFile, jws, 0o644);
  return { root, signing: signing.signing, list: openKeyList(jws, root, org), rootFile, listFile };
}

function isFresh(list: KeyList, { signing }: KeyPair, nowMs: number): boolean {
  return list.keys.has(signing.kid) && list.notAfterMs - nowMs > LIST_RENEWAL_MS;
}

function loadRoot(privateFile: string, publicFile: string): { root: VerifyKey; rootPair: KeyPair | undefined } {
  const stored = readIfPresent(publicFile);
  const rootPair = stored === undefined ? loadOrCreateKey(privateFile) : loadKey(privateFile);
  if (stored === undefined && rootPair !== undefined) {
    writeFileAtomic(publicFile, `${JSON.stringify(rootPair.public.jwk)}\n`, 0o644);
    return { root: rootPair.public, rootPair };
  }
  const root = parseRoot(stored ?? '', publicFile);
  if (rootPair !== undefined && rootPair.public.kid !== root.kid) {
    throw new MusterError('unsafe_key', `${privateFile} and ${publicFile} are not one pair`);
  }
  return { root, rootPair };
}

function parseRoot(text: string, file: string): VerifyKey {
  try {
    return admitKey(JSON.parse(text));
  } catch (cause) {
    if (isMusterError(cause)) throw cause;
    throw new MusterError('unsafe_key', `The file ${file} does not hold a public key in JWK form`, { cause });
  }
}

function loadList(file: string, root: VerifyKey, org: string): KeyList | undefined {
  const jws = readIfPresent(file)?.trim();
  if (jws === undefined) return undefined;
  try {
    return openKeyList(jws, root, org);
  } catch (cause) {
    if (!isMusterError(cause)) throw cause;
    throw new MusterError('unsafe_key', `The key list ${file} does not hold under the root key: ${cause.message}`, {
      cause,
    });
  }
}

function readIfPresent(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
