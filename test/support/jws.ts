import { sign } from 'node:crypto';
import { encodeBase64Url } from '../../protocol/base64url.js';
import type { EnvelopeType, KnownKey, SignerRole } from '../../protocol/envelope.js';
import type { KeyPair } from '../../runtime/key-file.js';

/** A JWS with any header at all, signed as it says: what an attacker with a key could send. */
export function forgeJws(header: unknown, payload: string | Uint8Array, signer: KeyPair): string {
  const text = typeof header === 'string' ? header : JSON.stringify(header);
  const signed = `${encodeBase64Url(text)}.${encodeBase64Url(payload)}`;
  return `${signed}.${sign(null, Buffer.from(signed), signer.signing.key).toString('base64url')}`;
}

/** What openEnvelope expects when this one key is known. */
export function expecting(typ: EnvelopeType, pair: KeyPair, role: SignerRole) {
  const known: KnownKey = { key: pair.public.key, role };
  return { typ, maxBytes: 256 * 1024, keyOf: (kid: string) => (kid === pair.public.kid ? known : undefined) };
}
