import { z } from 'zod';
import type { Principal } from './authorization.js';
import { type KnownKey, openEnvelope, parsePayload, type SigningKey, signEnvelope } from './envelope.js';
import { MusterError } from './errors.js';
import { Id } from './ids.js';

/** A broker password lives at most this long. */
export const MAX_BROKER_TOKEN_SECONDS = 7 * 24 * 3600;

/** Claims of the JWT (RFC 7519) that is a client's broker password. Times are seconds since 1970. */
export const BrokerClaims = z.object({
  org: Id,
  sub: Id.describe('Client id: a node id, or ctl-… and mon-… for the other roles'),
  role: z.enum(['node', 'controller', 'monitor']),
  groups: z.array(Id).max(16),
  node_key: z
    .string()
    .length(43)
    .optional()
    .describe('Of a node: the thumbprint of its key; the password ends when that key is revoked'),
  iat: z.int().min(0),
  exp: z.int().min(0),
});
export type BrokerClaims = Readonly<z.infer<typeof BrokerClaims>>;

/** Signs a broker password with a key of the key list. */
export function signBrokerToken(claims: BrokerClaims, signer: SigningKey): string {
  return signEnvelope('muster-broker+jwt', JSON.stringify(claims), signer);
}

/**
 * Who a broker password speaks for and which key vouches for it, checked by public keys alone.
 * @throws {MusterError} a refusal of openEnvelope or parsePayload, stale
 */
export function openBrokerToken(
  token: string,
  { keyOf, nowMs }: { keyOf: (kid: string) => KnownKey | undefined; nowMs: number },
): { principal: Principal; expiresAtMs: number; kid: string; nodeKey: string | undefined } {
  const { kid, payload } = openEnvelope(token, { typ: 'muster-broker+jwt', maxBytes: 4096, keyOf });
  const claims = parsePayload(BrokerClaims, payload);
  const { role, sub, org, groups, node_key: nodeKey, iat, exp } = claims;
  if (exp * 1000 <= nowMs) throw new MusterError('stale', 'the broker password has expired');
  if (exp - iat > MAX_BROKER_TOKEN_SECONDS) throw new MusterError('stale', 'the broker password lives too long');
  return { principal: { role, id: sub, org, groups }, expiresAtMs: exp * 1000, kid, nodeKey };
}
