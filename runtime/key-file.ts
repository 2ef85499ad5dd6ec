import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { SigningKey } from '../protocol/envelope.js';
import { MusterError } from '../protocol/errors.js';
import { admitKey, type VerifyKey } from '../protocol/keys.js';
import { writeFileAtomic } from './atomic-file.js';
import { errnoOf } from './errno.js';

/** A key pair as it lies in a 0600 file: the private JWK. */
export type KeyPair = Readonly<{ signing: SigningKey; public: VerifyKey }>;

/** Makes an Ed25519 key pair in memory. */
export function generateKeyPair(): KeyPair {
  return toKeyPair(generateKeyPairSync('ed25519').privateKey);
}

/**
 * The key pair in this file; made and stored (0600, durable) when the file is missing.
 * @throws {MusterError} unsafe_key
 */
export function loadOrCreateKey(file: string): KeyPair {
  const stored = loadKey(file);
  if (stored !== undefined) return stored;
  const pair = generateKeyPair();
  writeFileAtomic(file, `${JSON.stringify(pair.signing.key.export({ format: 'jwk' }))}\n`, 0o600);
  return pair;
}

/**
 * The key pair in this file; undefined when there is no such file.
 * @throws {MusterError} unsafe_key
 */
export function loadKey(file: string): KeyPair | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return toKeyPair(createPrivateKey({ key: JSON.parse(text), format: 'jwk' }));
  } catch (cause) {
    throw new MusterError('unsafe_key', `The file ${file} does not hold an Ed25519 private key in JWK form`, { cause });
  }
}

function toKeyPair(privateKey: KeyObject): KeyPair {
  const verify = admitKey(createPublicKey(privateKey).export({ format: 'jwk' }));
  return { signing: { kid: verify.kid, key: privateKey }, public: verify };
}
