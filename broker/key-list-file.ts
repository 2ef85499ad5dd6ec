import { readFileSync } from 'node:fs';
import type { KnownKey } from '../protocol/envelope.js';
import { isMusterError, MusterError } from '../protocol/errors.js';
import { type KeyList, openKeyList } from '../protocol/key-list.js';
import { admitKey, type VerifyKey } from '../protocol/keys.js';
import type { Clock } from '../runtime/clock.js';
import { followFile } from '../runtime/followed-file.js';
import type { Logger } from '../runtime/logger.js';

/** Where the broker learns which keys may vouch for clients. */
export type KeySource = Readonly<{
  /** The key with this id, as long as the list that holds it is valid. */
  keyOf: (kid: string) => KnownKey | undefined;
  /** Why nobody can be admitted; undefined when all is well. */
  notReady: () => string | undefined;
  stop: () => void;
}>;

/**
 * Reads a key list that the root key signed and follows the file: a newer version replaces the list within a second, a
 * lower one and one that does not hold are refused and logged.
 * @throws {MusterError} config_invalid when either file cannot be used at start
 */
export function startKeyListFile({
  rootFile,
  keysFile,
  org,
  clock,
  log,
}: {
  rootFile: string;
  keysFile: string;
  org: string;
  clock: Clock;
  log: Logger;
}): KeySource {
  const root = readRoot(rootFile);
  let list = readKeyList(keysFile, root, org);

  const stop = followFile(keysFile, () => {
    try {
      const next = readKeyList(keysFile, root, org);
      if (next.version > list.version) {
        list = next;
        log.info({ version: list.version, keys: list.keys.size }, 'key list replaced');
      } else if (next.jws !== list.jws) {
        log.warn({ version: next.version, current: list.version }, 'key list that is not newer refused');
      }
    } catch (error) {
      if (!isMusterError(error)) throw error;
      log.warn({ detail: error.message }, 'key list refused');
    }
  });

  const isCurrent = (): boolean => clock.nowMs() < list.notAfterMs;
  return {
    keyOf: (kid) => (isCurrent() ? list.keys.get(kid) : undefined),
    notReady: () => (isCurrent() ? undefined : 'the key list has passed its not_after'),
    stop,
  };
}

/** The pinned root key. @throws {MusterError} config_invalid */
export function readRoot(file: string): VerifyKey {
  try {
    return admitKey(JSON.parse(readFileSync(file, 'utf8')));
  } catch (cause) {
    throw new MusterError('config_invalid', `broker.root_file: ${file} is not a public root key: ${textOf(cause)}`, {
      cause,
    });
  }
}

function readKeyList(file: string, root: VerifyKey, org: string): KeyList {
  try {
    return openKeyList(readFileSync(file, 'utf8').trim(), root, org);
  } catch (cause) {
    throw new MusterError('config_invalid', `broker.keys_file: ${file} is not a key list: ${textOf(cause)}`, { cause });
  }
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
