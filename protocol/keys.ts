import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { decodeBase64Url } from './base64url.js';
import { MusterError } from './errors.js';

/** An Ed25519 public key as a JWK (RFC 8037). */
export const PublicJwk = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string().length(43).describe('32 bytes, base64url'),
  kid: z.string().max(64).optional(),
});
export type PublicJwk = Readonly<z.infer<typeof PublicJwk>>;

/** A public key that passed {@link admitKey}. */
export type VerifyKey = Readonly<{ kid: string; jwk: PublicJwk; key: KeyObject }>;

/**
 * The points of small order with the sign bit cleared, hex; what encodes y ≥ 2^255 − 19 is refused anyway. A key among them verifies signatures
 * that nobody made. Source: RFC 8032, section 5.1 and the list in "Taming the many EdDSAs" (Chalkias et al., 2020), table 6.
 */
const SMALL_ORDER = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]);

/** The RFC 7638 thumbprint of an Ed25519 public key, 43 characters: our `kid`. */
export function thumbprintOf({ x }: Pick<PublicJwk, 'x'>): string {
  return createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest('base64url');
}

/**
 * A key that may be trusted from now on: right type and length, canonical, not of small order, `kid` its thumbprint.
 * @throws {MusterError} unsafe_key
 */
export function admitKey(candidate: unknown): VerifyKey {
  const jwk = PublicJwk.safeParse(candidate);
  if (!jwk.success) throw new MusterError('unsafe_key', 'the key is not an Ed25519 public key in JWK form');
  const bytes = decodeBase64Url(jwk.data.x);
  if (bytes?.length !== 32) throw new MusterError('unsafe_key', 'the key is not 32 bytes of canonical base64url');
  const unsigned = Buffer.from(bytes);
  unsigned[31] = (unsigned[31] ?? 0) & 0x7f;
  if (unsigned[31] === 0x7f && unsigned.subarray(1, 31).every((byte) => byte === 0xff) && (unsigned[0] ?? 0) >= 0xed)
    throw new MusterError('unsafe_key', 'the key is not in the one form that RFC 8032 allows');
  if (SMALL_ORDER.has(unsigned.toString('hex')))
    throw new MusterError('unsafe_key', 'the key is a point of small order');
  const kid = thumbprintOf(jwk.data);
  if (jwk.data.kid !== undefined && jwk.data.kid !== kid)
    throw new MusterError('unsafe_key', 'kid is not the thumbprint of the key');
  const { kty, crv, x } = jwk.data;
  return { kid, jwk: { kty, crv, x, kid }, key: createPublicKey({ key: { kty, crv, x }, format: 'jwk' }) };
}
