import { readFileSync } from 'node:fs';
import type { KnownKey } from '../protocol/envelope.js';
import { isMusterError } from '../protocol/errors.js';
import { openRevocations, type Revocations } from '../protocol/revocations.js';
import { errnoOf } from '../runtime/errno.js';
import { followFile } from '../runtime/followed-file.js';
import type { Logger } from '../runtime/logger.js';

/** Where the broker learns which nodes were removed. */
export type RevocationSource = Readonly<{
  /** Whether a password of this node, given for this key, is void before its time. */
  isRevoked: (node: string, nodeKey: string | undefined) => boolean;
  stop: () => void;
}>;

/**
 * Reads the controller's signed list of removed nodes and follows the file: a newer version counts within a second, a
 * lower one and one that does not hold are refused and logged. Without the file nobody is revoked; when it goes away,
 * what was read last stays.
 */
export function startRevocationsFile({
  file,
  org,
  keyOf,
  log,
}: {
  file: string;
  org: string;
  keyOf: (kid: string) => KnownKey | undefined;
  log: Logger;
}): RevocationSource {
  let list: Revocations | undefined;

  function read(): void {
    try {
      const next = openRevocations(readFileSync(file, 'utf8').trim(), { org, keyOf });
      if (list !== undefined && next.version < list.version) {
        log.warn({ version: next.version, current: list.version }, 'older list of revocations refused');
        return;
      }
      list = next;
      log.info({ version: next.version, nodes: next.size }, 'list of revocations read');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' && list === undefined) return;
      if (!isMusterError(error) && errnoOf(error) === undefined) throw error;
      log.warn({ detail: error instanceof Error ? error.message : '' }, 'list of revocations refused');
    }
  }

  read();
  const stop = followFile(file, read);
  return { isRevoked: (node, nodeKey) => list?.has(node, nodeKey) ?? false, stop };
}
