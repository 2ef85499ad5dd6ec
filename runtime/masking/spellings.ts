/** What is shorter would be found in half of all texts. */
export const MIN_SPELLING_BYTES = 8;

/** The octets that a value may stand in text as: itself, in JSON, in a URL, in hex and within Base64 (promise 22). */
export function spellingsOf(value: string): Buffer[] {
  const texts = new Set([value, ...linesOf(value)].flatMap(spell));
  return [...texts].map((text) => Buffer.from(text)).filter(({ length }) => length >= MIN_SPELLING_BYTES);
}

/** What does not stand inside of a line, such as a key in PEM, is also shown with something before each line. */
const MIN_LINE = 16;

function linesOf(value: string): string[] {
  if (!value.includes('\n')) return [];
  return value.split(/\r?\n/).filter((line) => line.length >= MIN_LINE && !line.startsWith('-----'));
}

function spell(value: string): string[] {
  const octets = Buffer.from(value);
  const hex = octets.toString('hex');
  const base64 = [0, 1, 2].map((offset) => base64At(octets, offset));
  return [
    value,
    ...jsonSpellings(value),
    ...urlSpellings(value),
    hex,
    hex.toUpperCase(),
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
  ];
}

/** As writers of JSON differ: some escape the slash, what is not ASCII, or what means something in HTML. */
function jsonSpellings(value: string): string[] {
  const plain = JSON.stringify(value).slice(1, -1);
  const ascii = plain.replace(/[^\x20-\x7e]/g, escapeUnit);
  const slashed = [plain, plain.replaceAll('/', '\\/'), ascii, ascii.replaceAll('/', '\\/')];
  const html = [plain, ascii].map((text) => text.replace(/[<>&'\u2028\u2029]/g, escapeUnit));
  const twice = [plain, ascii].map((text) => JSON.stringify(text).slice(1, -1));
  return [...slashed, ...html, ...twice].flatMap((text) => [text, upperEscapes(text)]);
}

function escapeUnit(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function upperEscapes(text: string): string {
  return text.replace(/\\u[0-9a-f]{4}/g, (escaped) => `\\u${escaped.slice(2).toUpperCase()}`);
}

/** What stays as it is in a URL, as writers of URLs differ: a component by JavaScript, by RFC 3986, in a form, in a path, in a whole URL. */
const UNESCAPED = [/[\w.!~*'()-]/, /[\w.~-]/, /[\w.*-]/, /[\w.~/-]/, /[\w.!~*'();/?:@&=+$,#-]/];

function urlSpellings(value: string): string[] {
  return UNESCAPED.flatMap((kept) => {
    const upper = [...Buffer.from(value)].map((octet) => percentOf(octet, kept)).join('');
    const lower = upper.replace(/%[0-9A-F]{2}/g, (escaped) => escaped.toLowerCase());
    return [upper, lower].flatMap((text) => [text, text.replaceAll('%20', '+')]);
  });
}

function percentOf(octet: number, kept: RegExp): string {
  const character = String.fromCharCode(octet);
  if (octet < 0x80 && kept.test(character)) return character;
  return `%${octet.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** What octets look like within Base64, so many after a multiple of three; the ends depend on what is beside them. */
function base64At(octets: Buffer, offset: number): string {
  const text = Buffer.concat([Buffer.alloc(offset), octets])
    .toString('base64')
    .replace(/=+$/, '');
  const start = [0, 2, 3][offset] ?? 0;
  const isWhole = (offset + octets.length) % 3 === 0;
  return text.slice(start, isWhole ? undefined : -1);
}
