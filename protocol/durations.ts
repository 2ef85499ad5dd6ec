import { z } from 'zod';

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['ns', 1e-6],
  ['us', 1e-3],
  ['\u00b5s', 1e-3],
  ['\u03bcs', 1e-3],
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

const DURATION = /^([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|[\u00b5\u03bc]s|ms|s|m|h))+$/;
const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|[\u00b5\u03bc]s|ms|s|m|h)/g;

/** Go counts nanoseconds in 64 bits; what does not fit is unreadable there. */
const MAX_MS = 2 ** 63 / 1e6;

/**
 * Milliseconds of a Go-style duration such as `300ms`, `1h30m` or `-2s`; undefined when it is not one.
 * Source: the grammar of Go's time.ParseDuration. A bare `0` is a duration, as it is there.
 */
export function parseDuration(text: string): number | undefined {
  if (text === '0' || text === '+0' || text === '-0') return 0;
  if (text.length > 64 || !DURATION.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount = '', unit = ''] of text.matchAll(PART)) totalMs += Number(amount) * (UNIT_MS.get(unit) ?? 0);
  if (totalMs >= MAX_MS) return undefined;
  return text.startsWith('-') ? -totalMs : totalMs;
}

/** The shortest Go-style spelling of a number of milliseconds: 90_000 → `1m30s`, 1500 → `1.5s`, 0 → `0s`. */
export function formatDuration(ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms === 0) return '0s';
  if (ms < 1000) return `${Number(ms.toFixed(3))}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const seconds = Number(((ms % 60_000) / 1000).toFixed(3));
  return [hours > 0 ? `${hours}h` : '', minutes > 0 ? `${minutes}m` : '', seconds > 0 ? `${seconds}s` : ''].join('');
}

/** A duration that must be readable and above zero, kept as the text that was given. */
export const PositiveDuration = z
  .string()
  .max(64)
  .refine((text) => (parseDuration(text) ?? 0) > 0, 'must be a duration above zero, such as 30s')
  .describe('Duration such as 300ms, 30s or 10m');

/** A time-out on the wire: unreadable text is allowed (the cap then holds), zero and below are not. */
export const TimeoutDuration = z
  .string()
  .max(64)
  .refine((text) => (parseDuration(text) ?? 1) > 0, 'must not be zero or negative')
  .describe('Duration; empty or unreadable means the cap of the node');

/** A duration that must be readable and may be zero: what is too short is said by the setting it stands in. */
export const DurationText = z
  .string()
  .max(64)
  .refine((text) => parseDuration(text) !== undefined, 'must be a duration, such as 30s')
  .describe('Duration such as 300ms, 30s or 10m');
