import { parseDuration } from '../../../protocol/durations.js';

const DAY_MS = 86_400_000;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const ISO = /^\[?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s?(Z|[+-]\d\d:?\d\d)?/;
/** RFC 3164: no year, no zone. */
const SYSLOG = /^(?:<\d{1,3}>)?([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)/;

/**
 * The time at the beginning of a log line in milliseconds since 1970: ISO 8601 or the form of syslog; undefined when it
 * has none. A time without a zone is the node's local time, and one without a year the latest that is not ahead.
 */
export function logTime(line: string, nowMs: number): number | undefined {
  const iso = ISO.exec(line);
  if (iso !== null) {
    const [, day, time, fraction = '0', zone = ''] = iso;
    const ms = Date.parse(`${day}T${time}.${fraction.slice(0, 3)}${zone.replace(/(\d\d)(\d\d)$/, '$1:$2')}`);
    return Number.isNaN(ms) ? undefined : ms;
  }
  const [, month = '', day, hour, minute, second] = SYSLOG.exec(line) ?? [];
  if (!MONTHS.includes(month)) return undefined;
  const inYear = (year: number): number =>
    new Date(year, MONTHS.indexOf(month), Number(day), Number(hour), Number(minute), Number(second)).getTime();
  const year = new Date(nowMs).getFullYear();
  return inYear(year) > nowMs + DAY_MS ? inYear(year - 1) : inYear(year);
}

/** The moment that `since` names: a Go duration ago, or an RFC 3339 time; undefined when it is neither. */
export function parseSince(text: string, nowMs: number): number | undefined {
  const ago = parseDuration(text);
  if (ago !== undefined) return ago > 0 ? nowMs - ago : undefined;
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}
