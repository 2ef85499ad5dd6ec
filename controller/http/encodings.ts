/** How the bytes of an answer may be packed, the best first. */
export const ENCODINGS = ['br', 'gzip'] as const;
export type Encoding = (typeof ENCODINGS)[number];

/**
 * How a client likes its answer best, by its Accept-Encoding (RFC 9110, section 12.5.3); undefined for as it is. What
 * cannot be read is passed over.
 */
export function encodingFor(header: string | undefined): Encoding | undefined {
  const weights = new Map<string, number>();
  for (const item of (header ?? '').toLowerCase().split(',')) {
    const [name = '', ...parameters] = item.split(';').map((part) => part.trim());
    weights.set(name, weightOf(parameters));
  }
  const weigh = (encoding: string): number => weights.get(encoding) ?? weights.get('*') ?? 0;
  const best = [...ENCODINGS].sort((one, other) => weigh(other) - weigh(one))[0];
  return best !== undefined && weigh(best) > 0 ? best : undefined;
}

function weightOf(parameters: readonly string[]): number {
  const [, text] = /^q=(.*)$/.exec(parameters.find((parameter) => parameter.startsWith('q=')) ?? '') ?? [];
  if (text === undefined) return 1;
  return /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(text) ? Number(text) : 0;
}
