import { dirname, join } from 'node:path';
import { MAX_BROKER_TOKEN_SECONDS } from '../../protocol/broker-token.js';
import { MusterError } from '../../protocol/errors.js';
import { MAX_REVOKED, signRevocations } from '../../protocol/revocations.js';
import { writeFileAtomic } from '../../runtime/atomic-file.js';
import { type Clock, toTime } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import { lastRevocationMs, listRevokedKeys } from '../store/node-keys.js';
import type { Store } from '../store/store.js';
import type { Keyring } from './keyring.js';

export type RevocationsFile = Readonly<{
  /** Writes what the store says now; a failure is logged, since the controller believes no removed node anyway. */
  write: () => Promise<void>;
  /** What was signed last. @throws {MusterError} unavailable: nothing was yet */
  current: () => string;
}>;

/** A password may have been issued a moment after the removal by a clock that was behind. */
const KEPT_MS = (MAX_BROKER_TOKEN_SECONDS + 3600) * 1000;

/**
 * `revocations.jws` beside the key list: the removed nodes whose broker passwords have not ended by themselves yet. The
 * broker follows the file. Its version is the time of the last removal, so that each controller on one store writes the
 * same.
 */
export function createRevocationsFile(deps: {
  store: Store;
  keyring: Keyring;
  clock: Clock;
  org: string;
  log: Logger;
}): RevocationsFile {
  const { store, keyring, clock, org, log } = deps;
  let turn: Promise<void> = Promise.resolve();
  let signed: string | undefined;

  async function writeNow(): Promise<void> {
    const version = (await lastRevocationMs(store.read, org)) ?? 1;
    const nowMs = clock.nowMs();
    const rows = await listRevokedKeys(store.read, { org, afterMs: nowMs - KEPT_MS, limit: MAX_REVOKED });
    const { listFile, signing } = keyring.keys;
    const nodes = rows.map(({ node, kid }) => ({ node, node_key: kid }));
    signed = signRevocations({ v: 1, org, version, issued_at: toTime(nowMs), nodes }, signing);
    writeFileAtomic(join(dirname(listFile), 'revocations.jws'), signed, 0o644);
  }

  return {
    write() {
      turn = turn.then(writeNow).catch((err: unknown) => log.error({ err }, 'list of revocations not written'));
      return turn;
    },
    current() {
      if (signed === undefined) throw new MusterError('unavailable', 'The removed nodes are not known yet');
      return signed;
    },
  };
}
