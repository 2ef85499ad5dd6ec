/** A JSON value that is at most so long as JSON; `isCut` when it was longer. */
export type Fitted = Readonly<{ value: unknown; isCut: boolean }>;

type Part = Fitted & Readonly<{ bytes: number }>;

/** `…` as JSON. */
const MARK = '…';
const QUOTES = 2;
/** Whatever is begun takes this at least: `null`, `[]`, `""`. */
const LEAST = 4;

/**
 * The beginning of a JSON value that fits in so many bytes of JSON, whole in itself: lists and objects lose their
 * last members, and a text its end.
 */
export function fitJson(value: unknown, maxBytes: number): Fitted {
  if (Buffer.byteLength(JSON.stringify(value)) <= maxBytes) return { value, isCut: false };
  const { bytes: _, ...fitted } = fit(value, maxBytes);
  return fitted;
}

function fit(value: unknown, left: number): Part {
  if (typeof value === 'string') return fitText(value, left);
  if (Array.isArray(value)) return fitList(value, left);
  if (typeof value === 'object' && value !== null) return fitObject(value, left);
  return { value, bytes: Buffer.byteLength(JSON.stringify(value) ?? 'null'), isCut: false };
}

function fitText(text: string, left: number): Part {
  const bytes = Buffer.byteLength(JSON.stringify(text));
  if (bytes <= left) return { value: text, bytes, isCut: false };
  const room = left - QUOTES - Buffer.byteLength(MARK);
  let used = 0;
  let kept = '';
  for (const character of text) {
    used += Buffer.byteLength(JSON.stringify(character)) - QUOTES;
    if (used > room) break;
    kept += character;
  }
  const cut = `${kept}${MARK}`;
  return { value: cut, bytes: Buffer.byteLength(JSON.stringify(cut)), isCut: true };
}

function fitList(list: readonly unknown[], left: number): Part {
  const kept: unknown[] = [];
  let used = QUOTES;
  for (const item of list) {
    const room = left - used - 1;
    const part = room < LEAST + Buffer.byteLength(MARK) ? undefined : fit(item, room);
    if (part === undefined || part.bytes > room) return { value: kept, bytes: used, isCut: true };
    kept.push(part.value);
    used += part.bytes + 1;
    if (part.isCut) return { value: kept, bytes: used, isCut: true };
  }
  return { value: kept, bytes: used, isCut: false };
}

function fitObject(object: object, left: number): Part {
  const kept: [string, unknown][] = [];
  let used = QUOTES;
  for (const [name, member] of Object.entries(object)) {
    const head = Buffer.byteLength(JSON.stringify(name)) + 1;
    const room = left - used - head - 1;
    const part = room < LEAST + Buffer.byteLength(MARK) ? undefined : fit(member, room);
    if (part === undefined || part.bytes > room) return { value: Object.fromEntries(kept), bytes: used, isCut: true };
    kept.push([name, part.value]);
    used += head + part.bytes + 1;
    if (part.isCut) return { value: Object.fromEntries(kept), bytes: used, isCut: true };
  }
  return { value: Object.fromEntries(kept), bytes: used, isCut: false };
}
