import { createPrivateKey } from 'node:crypto';
import type { SigningKey } from '../../protocol/envelope.js';
import { thumbprintOf } from '../../protocol/keys.js';

/** The key pair of RFC 8037, appendix A: known to everybody, and good for examples only. */
const PRIVATE_JWK = {
  kty: 'OKP',
  crv: 'Ed25519',
  d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
};

/** What the example envelope in topics.md is signed with. */
export function exampleKey(): Readonly<{ privateJwk: typeof PRIVATE_JWK; signing: SigningKey }> {
  return {
    privateJwk: PRIVATE_JWK,
    signing: { kid: thumbprintOf(PRIVATE_JWK), key: createPrivateKey({ key: PRIVATE_JWK, format: 'jwk' }) },
  };
}
