import type { KnownKey } from '../protocol/envelope.js';
import { MusterError } from '../protocol/errors.js';
import { type KeyList, openKeyList } from '../protocol/key-list.js';
import { admitKey } from '../protocol/keys.js';
import type { Identity } from './identity.js';

/** The controller keys that this node believes: those of the newest list under the root that it pinned. */
export type TrustedKeys = Readonly<{
  readonly version: number;
  /** When the newest list ends. */
  readonly notAfterMs: number;
  /** Undefined for an unknown `kid`. @throws {MusterError} key_list_expired */
  keyOf: (kid: string) => KnownKey | undefined;
  /**
   * Takes a newer list; true when it replaces the one before.
   * @throws {MusterError} a refusal of openKeyList, stale (a lower version)
   */
  renew: (jws: string) => boolean;
}>;

/**
 * Opens the stored list. `nowMs` is the corrected time, so that a node whose clock is wrong neither locks itself out
 * nor believes an old controller; undefined before the first welcome of this process, when no clock can be trusted.
 * @throws {MusterError} a refusal of openKeyList, unsafe_key
 */
export function createTrustedKeys(identity: Identity, nowMs: () => number | undefined): TrustedKeys {
  const root = admitKey(identity.root);
  let list: KeyList = openKeyList(identity.keys, root, identity.org);
  return {
    get version() {
      return list.version;
    },
    get notAfterMs() {
      return list.notAfterMs;
    },
    keyOf(kid) {
      const now = nowMs();
      if (now !== undefined && now >= list.notAfterMs) {
        throw new MusterError('key_list_expired', 'the key list of the controller has expired');
      }
      return list.keys.get(kid);
    },
    renew(jws) {
      const next = openKeyList(jws, root, identity.org);
      if (next.version < list.version)
        throw new MusterError('stale', `key list version ${next.version} is older than ${list.version}`);
      if (next.version === list.version) return false;
      list = next;
      return true;
    },
  };
}
