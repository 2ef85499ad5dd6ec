import { z } from 'zod';
import { type KnownKey, openEnvelope, parsePayload, type SigningKey, signEnvelope } from './envelope.js';
import { MusterError } from './errors.js';
import { Id, Time } from './ids.js';
import { admitKey, PublicJwk, type VerifyKey } from './keys.js';

/** Payload of `muster-keys`: the keys that may sign requests and controls, as the root key vouches for them. */
export const KeyListPayload = z.object({
  v: z.literal(1),
  org: Id,
  version: z.int().min(1).max(Number.MAX_SAFE_INTEGER),
  keys: z.array(PublicJwk).min(1).max(16),
  not_after: Time,
});

/** A key list that held under the root. `keys` is by kid. */
export type KeyList = Readonly<{
  org: string;
  version: number;
  notAfterMs: number;
  keys: ReadonlyMap<string, KnownKey>;
  jws: string;
}>;

const MAX_KEY_LIST_BYTES = 16 * 1024;

/** Signs a key list with the root key. */
export function signKeyList(payload: z.infer<typeof KeyListPayload>, root: SigningKey): string {
  return signEnvelope('muster-keys', JSON.stringify(payload), root);
}

/**
 * Opens a key list. The caller refuses a lower `version` than it has seen, and stops believing past `notAfterMs`.
 * @throws {MusterError} a refusal of openEnvelope or parsePayload, wrong_audience, unsafe_key
 */
export function openKeyList(jws: string, root: VerifyKey, org: string): KeyList {
  const { payload } = openEnvelope(jws, {
    typ: 'muster-keys',
    maxBytes: MAX_KEY_LIST_BYTES,
    keyOf: (kid) => (kid === root.kid ? { key: root.key, role: 'root' } : undefined),
  });
  const list = parsePayload(KeyListPayload, payload);
  if (list.org !== org) throw new MusterError('wrong_audience', `the key list is for org ${list.org}`);
  const keys = new Map<string, KnownKey>();
  for (const jwk of list.keys) {
    const { kid, key } = admitKey(jwk);
    keys.set(kid, { key, role: 'controller' });
  }
  return { org, version: list.version, notAfterMs: Date.parse(list.not_after), keys, jws };
}
