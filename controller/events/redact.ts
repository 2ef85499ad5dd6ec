/** A-61's names. */
const SECRET_NAME = /token|secret|password|authorization|api_?key/i;

const REDACTED = '[redacted]';

/** What is nested deeper is left out: whoever writes it as JSON recurses. */
const MAX_DEPTH = 32;

/** Parameters as they may be shown to everybody who may read: what is a secret by its name is left out, at any depth. */
export function redactParameters(parameters: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return redactObject(parameters, { textOf: (text) => text, depth: 1 });
}

/** A JSON value with what is a secret by its name left out; `textOf` says what becomes of each text in it. */
export function redactValue(value: unknown, textOf: (text: string) => string): unknown {
  return redact(value, { textOf, depth: 0 });
}

type At = Readonly<{ textOf: (text: string) => string; depth: number }>;

function redact(value: unknown, { textOf, depth }: At): unknown {
  if (typeof value === 'string') return textOf(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '[nested too deep]';
  const inside = { textOf, depth: depth + 1 };
  return Array.isArray(value) ? value.map((item) => redact(item, inside)) : redactObject(value, inside);
}

function redactObject(value: object, inside: At): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      inside.textOf(name),
      SECRET_NAME.test(name) ? REDACTED : redact(member, inside),
    ]),
  );
}
