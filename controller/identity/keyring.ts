import { signEnvelope } from '../../protocol/envelope.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { SealDeps } from '../store/audit-seal.js';
import { ensureKeys, type OrgKeys } from './keys.js';

/** The org's keys as they are now: the key list is renewed while the controller runs. */
export type Keyring = Readonly<{
  readonly keys: OrgKeys;
  /** A JWS of this payload under the newest signing key. */
  sign: (typ: Parameters<typeof signEnvelope>[0], payload: Uint8Array | string) => string;
  stop: () => void;
}>;

const RENEWAL_CHECK_MS = 3600 * 1000;

/**
 * Loads or makes the keys and looks each hour whether the key list is due.
 * @throws {MusterError} as ensureKeys
 */
export function startKeyring(options: { directory: string; org: string; clock: Clock; log: Logger }): Keyring {
  const { directory, org, clock, log } = options;
  let keys = ensureKeys(directory, org, clock);
  const timer = setInterval(() => {
    try {
      const before = keys.list.version;
      keys = ensureKeys(directory, org, clock);
      if (keys.list.version !== before) log.info({ version: keys.list.version }, 'key list renewed');
    } catch (err) {
      log.error({ err }, 'key list not renewed');
    }
  }, RENEWAL_CHECK_MS);
  timer.unref();
  return {
    get keys() {
      return keys;
    },
    sign: (typ, payload) => signEnvelope(typ, payload, keys.signing),
    stop: () => clearInterval(timer),
  };
}

/** What the audit trail is signed with. */
export function sealDeps(
  keyring: Pick<Keyring, 'keys'>,
  rest: Readonly<{ clock: Clock; org: string; log: Logger }>,
): SealDeps {
  return {
    ...rest,
    signing: () => keyring.keys.signing,
    keyOf: (kid) => keyring.keys.list.keys.get(kid),
  };
}
