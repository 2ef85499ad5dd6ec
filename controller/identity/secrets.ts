import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { sha256Hex } from '../../protocol/envelope.js';

/** The public half of a token: 16 hexadecimal digits, enough to find it by. */
export function randomTokenId(): string {
  return randomBytes(8).toString('hex');
}

/** The secret half of a token: 256 bits in hexadecimal. Only its SHA-256 is stored. */
export function randomSecret(): string {
  return randomBytes(32).toString('hex');
}

/** Whether this is the secret with that SHA-256; takes as long for every answer. */
export function isSecret(secret: string, storedSha256: string): boolean {
  const given = createHash('sha256').update(secret).digest();
  const stored = Buffer.from(storedSha256, 'hex');
  return stored.length === given.length && timingSafeEqual(given, stored);
}

/** What is stored of a secret. */
export function hashSecret(secret: string): string {
  return sha256Hex(secret);
}

/** What the audit trail knows a stored secret or password by, so that it shows when another took its place; null for none. */
export function fingerprintOf(stored: string | null): string | null {
  return stored === null ? null : sha256Hex(stored);
}
