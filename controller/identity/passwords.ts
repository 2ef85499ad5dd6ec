import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/** About 60 ms and 32 MiB for each try (RFC 7914). */
const COST: Required<Pick<ScryptOptions, 'N' | 'r' | 'p'>> = { N: 2 ** 15, r: 8, p: 1 };
const MAX_MEMORY_BYTES = 64 * 1024 * 1024;
const HASH_BYTES = 32;
const SALT_BYTES = 16;
const STORED = /^scrypt\$(\d{1,8})\$(\d{1,3})\$(\d{1,3})\$([A-Za-z0-9+/=]{24})\$([A-Za-z0-9+/=]{44})$/;

const derive = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);

/** What is stored of a password: cost, salt and hash. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password.normalize('NFKC'), salt, HASH_BYTES, { ...COST, maxmem: MAX_MEMORY_BYTES });
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64'), hash.toString('base64')].join('$');
}

/** Whether this is the password. Without a stored one it takes as long, and is not. */
export async function isPassword(password: string, stored: string | null): Promise<boolean> {
  const [, n, r, p, salt = '', hash = ''] = STORED.exec(stored ?? '') ?? [];
  const cost = n === undefined ? COST : { N: Number(n), r: Number(r), p: Number(p) };
  const given = await derive(password.normalize('NFKC'), Buffer.from(salt, 'base64'), HASH_BYTES, {
    ...cost,
    maxmem: MAX_MEMORY_BYTES,
  });
  const expected = Buffer.from(hash, 'base64');
  return expected.length === given.length && timingSafeEqual(given, expected);
}
