const REDACTED = '[redacted]';
/** What is shorter would be found in half of all texts. */
const MIN_SPELLING = 8;

/** Takes secrets out of text, in each spelling that a system may give them back in (promise 22). */
export function createScrubber(secrets: readonly string[]): (text: string) => string {
  const spellings = [...new Set(secrets.flatMap(spellingsOf))]
    .filter(({ length }) => length >= MIN_SPELLING)
    .sort((a, b) => b.length - a.length);
  const shortest = spellings.at(-1)?.length ?? Number.POSITIVE_INFINITY;
  // Hostile answers hold hundreds of thousands of tiny texts.
  return (text) =>
    text.length < shortest ? text : spellings.reduce((left, spelling) => left.replaceAll(spelling, REDACTED), text);
}

function spellingsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const base64 = [0, 1, 2].map((offset) => base64At(bytes, offset));
  return [
    secret,
    ...[encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)],
    ...[bytes.toString('hex'), bytes.toString('hex').toUpperCase()],
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
  ];
}

/** What the octets look like inside of Base64, so many after a multiple of three; the ends depend on what is beside them. */
function base64At(bytes: Buffer, offset: number): string {
  const text = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString('base64')
    .replace(/=+$/, '');
  const start = [0, 2, 3][offset] ?? 0;
  const isWhole = (offset + bytes.length) % 3 === 0;
  return text.slice(start, isWhole ? undefined : -1);
}
