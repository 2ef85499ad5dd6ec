import { randomUUID } from 'node:crypto';
import { openEnvelope, parsePayload } from '../../protocol/envelope.js';
import { isMusterError, MusterError } from '../../protocol/errors.js';
import { Renew } from '../../protocol/messages/enrollment.js';
import { type Clock, toTime } from '../../runtime/clock.js';
import { issueBrokerPassword } from '../identity/broker-credentials.js';
import type { Keyring } from '../identity/keyring.js';
import type { Registry } from '../nodes/registry.js';
import type { EnrollmentService } from '../services.js';
import { updateNode } from '../store/nodes.js';
import type { Store } from '../store/store.js';

const NONCE_LIFE_MS = 60_000;
/** Anybody may ask for a nonce: beyond this many the oldest ends early. */
const MAX_NONCES = 10_000;
const MAX_RENEW_BYTES = 8 * 1024;

/** New broker passwords over HTTP, for nodes whose password ended while they were away. */
export function createRenewal(deps: {
  store: Store;
  keyring: Keyring;
  registry: Registry;
  clock: Clock;
  org: string;
}): Pick<EnrollmentService, 'nonce' | 'renew'> {
  const { store, keyring, registry, clock, org } = deps;
  /** Nonce → when it ends, monotonic; in the order in which they end. */
  const nonces = new Map<string, number>();

  function forgetOld(): void {
    for (const [nonce, endsMs] of nonces) {
      if (endsMs > clock.monotonicMs() && nonces.size <= MAX_NONCES) return;
      nonces.delete(nonce);
    }
  }

  return {
    nonce() {
      const nonce = randomUUID();
      nonces.set(nonce, clock.monotonicMs() + NONCE_LIFE_MS);
      forgetOld();
      return { nonce, expires_at: toTime(clock.nowMs() + NONCE_LIFE_MS) };
    },
    async renew(jws) {
      const ask = openRenew(registry, jws);
      const endsMs = nonces.get(ask.nonce) ?? 0;
      nonces.delete(ask.nonce);
      if (ask.org !== org || endsMs <= clock.monotonicMs())
        throw new MusterError('unauthenticated', 'The nonce is unknown, used or too old');
      const record = registry.get(ask.node);
      if (record === undefined) throw new MusterError('unauthenticated', 'The node is not enrolled');
      const groups = [...record.groups.keys()];
      const principal = { role: 'node', id: ask.node, org, groups, nodeKey: record.key?.kid } as const;
      const { password, expiresAtMs } = issueBrokerPassword(keyring, principal, clock.nowMs());
      registry.update(record, { passwordExpiresAtMs: expiresAtMs, passwordGroups: groups });
      const changes = { password_expires_at: expiresAtMs, password_groups: JSON.stringify(groups) };
      await store.write((tx) => updateNode(tx, ask.node, changes));
      return { username: ask.node, password, expires_at: toTime(expiresAtMs) };
    },
  };
}

function openRenew(registry: Registry, jws: string): Renew {
  try {
    const { kid, payload } = openEnvelope(jws, {
      typ: 'muster-renew',
      maxBytes: MAX_RENEW_BYTES,
      keyOf: registry.keyOf,
    });
    const ask = parsePayload(Renew, payload);
    if (registry.keyOf(kid)?.node !== ask.node) throw new MusterError('wrong_audience', 'the key is of another node');
    return ask;
  } catch (cause) {
    if (!isMusterError(cause)) throw cause;
    throw new MusterError('unauthenticated', 'The renewal does not hold under the key of an enrolled node', { cause });
  }
}
