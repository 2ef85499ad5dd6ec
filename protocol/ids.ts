import { z } from 'zod';

/** One topic level: an org, node, group or terminal. NATS refuses a dot, RabbitMQ alters it, so there is none. */
export const ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;

/** The name of an action. It never becomes a topic level, so it may hold dots. */
export const ACTION_NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

/** Any UUID, lower case. */
export const UUID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const UUID_V7_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const ID_RULE = 'must be letters, digits, _ and -, 63 at most, and begin with a letter or a digit';
const ACTION_NAME_RULE = 'must be letters, digits, _ . and -, 63 at most, and begin with a letter or a digit';

export const Id = z.string().regex(ID_PATTERN, ID_RULE).describe('Letters, digits, _ and -, at most 63');
export const ActionName = z
  .string()
  .regex(ACTION_NAME_PATTERN, ACTION_NAME_RULE)
  .describe('Letters, digits, _, . and -, at most 63');
export const ExecutionId = z.string().regex(UUID_V7_PATTERN).describe('UUIDv7, lower case');
export const Uuid = z.string().regex(UUID_PATTERN, 'must be a UUID in lower case').describe('UUID, lower case');
export const Sha256Hex = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be a SHA-256, 64 hexadecimal digits in lower case')
  .describe('SHA-256, lower-case hex');
export const Thumbprint = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/)
  .describe('RFC 7638 thumbprint (SHA-256, base64url)');

/** RFC 3339 in UTC, with Z. */
export const Time = z.iso
  .datetime('must be a time in UTC, such as 2026-01-31T08:00:00Z')
  .max(40)
  .describe('RFC 3339, UTC');

/** True for a string that may be a topic level of ours. */
export function isId(text: string): boolean {
  return ID_PATTERN.test(text);
}

/** The id nearest to a host name: reserved characters become `-`; `node` when nothing is left. */
export function toId(text: string): string {
  const id = text
    .replace(/[^A-Za-z0-9_-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 63);
  return id === '' ? 'node' : id;
}
