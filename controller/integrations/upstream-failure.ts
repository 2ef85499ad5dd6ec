import { MusterError } from '../../protocol/errors.js';
import { redactValue } from '../events/redact.js';

const MAX_TEXT = 200;

/** What the other system did not do, with its HTTP status when it answered. */
export class UpstreamFailure extends MusterError {
  readonly status: number | undefined;

  constructor(
    code: 'integration_failed' | 'outcome_unknown',
    detail: string,
    { status, cause }: { status?: number; cause?: unknown } = {},
  ) {
    super(code, detail, { cause });
    this.status = status;
  }
}

/**
 * At most 200 characters of what a system said, on one line; a JSON answer's own message when it has one (S-A-29).
 * `scrub` takes secrets out before it is cut: of one that was cut in two nobody could tell what it is (S-A-27). What an
 * adapter is answered holds none.
 */
export function excerptOf(text: string, scrub: (text: string) => string = (clean) => clean): string {
  const line = scrub(messageIn(text))
    .replace(/[\p{C}\p{Z}]+/gu, ' ')
    .trim();
  return line.length <= MAX_TEXT ? line : line.slice(0, MAX_TEXT).replace(/[\ud800-\udbff]$/, '');
}

/** The message of a JSON answer, or the answer without what is a secret by its name; other text as it is. */
function messageIn(text: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return text;
  }
  const message = firstText(value, ['detail', 'message', 'error', 'errors']);
  return message ?? JSON.stringify(redactValue(value, (each) => each));
}

/** The first text under one of these names, also inside of a list or of an object under one of them. */
function firstText(value: unknown, names: readonly string[], depth = 0): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value;
  if (typeof value !== 'object' || value === null || depth > 4) return undefined;
  const candidates = Array.isArray(value) ? value.slice(0, 1) : membersOf(value, names);
  for (const candidate of candidates) {
    const text = firstText(candidate, names, depth + 1);
    if (text !== undefined) return text;
  }
  return undefined;
}

function membersOf(value: object, names: readonly string[]): unknown[] {
  const members = new Map<string, unknown>(Object.entries(value));
  return names.flatMap((name) => (members.has(name) ? [members.get(name)] : []));
}
