import { type Automaton, createAutomaton } from './automaton.js';
import { MIN_SPELLING_BYTES, spellingsOf } from './spellings.js';
import { createMaskingStream, type Held, type MaskingStream, REDACTED } from './stream.js';

/** UTF-8 of one unit of a string. */
const MAX_OCTETS_PER_UNIT = 3;

/** Takes registered values out of whatever passes; nothing is done, and nothing kept, while none is registered. */
export type Mask = Readonly<{
  /** False while no value is registered. */
  isOn: () => boolean;
  /** What a program says, which may have been cut: at its end the beginning of a value goes, too. */
  text: (text: string) => string;
  /**
   * What people type and what we say ourselves: values as a whole and no beginnings of them, since whoever sees their own
   * text again would find a value out by its beginnings, one character after the other.
   */
  typed: (text: string) => string;
  /** The same buffer when there is nothing in it; otherwise as `text`. */
  octets: (octets: Buffer) => Buffer;
  /** JSON, with the names of members, as `typed`; the same value when there is nothing in it. */
  json: (value: unknown) => unknown;
  /** Octets that come in pieces, by the values that are registered now; undefined while none is. */
  stream: (before?: Held) => MaskingStream | undefined;
}>;

/** The values that a process masks, by where they come from. */
export type Secrets = Readonly<{
  mask: Mask;
  /** These are the values of a source from now on. Shorter ones than {@link MIN_SPELLING_BYTES} are passed over. */
  register: (source: string, values: readonly string[]) => void;
  /** These are values of a source, too; so many of its newest stay. */
  remember: (source: string, values: readonly string[], most: number) => void;
}>;

/** For whoever has nothing to mask. */
export const NO_MASK: Mask = {
  isOn: () => false,
  text: (text) => text,
  typed: (text) => text,
  octets: (octets) => octets,
  json: (value) => value,
  stream: () => undefined,
};

/** None is registered. The values are never given back. */
export function createSecrets(): Secrets {
  const bySource = new Map<string, readonly string[]>();
  /** Made when something has to be masked for the first time after a change. */
  let automaton: Automaton | undefined;
  let all: ReadonlySet<string> = new Set();

  function current(): Automaton | undefined {
    if (all.size > 0) automaton ??= createAutomaton([...all].flatMap(spellingsOf));
    return automaton;
  }

  function maskOctets(before: Buffer, what: Readonly<{ whole: boolean }>): Buffer {
    const found = before.length < MIN_SPELLING_BYTES ? undefined : current();
    if (found === undefined || isClean(found, before, what)) return before;
    const stream = createMaskingStream(found);
    return Buffer.concat([stream.push(before), stream.end(what)]);
  }

  function maskText(text: string, what: Readonly<{ whole: boolean }>): string {
    if (all.size === 0 || text.length * MAX_OCTETS_PER_UNIT < MIN_SPELLING_BYTES) return text;
    const before = Buffer.from(text);
    const after = maskOctets(before, what);
    return after === before ? text : after.toString();
  }

  const typed = (text: string): string => maskText(text, { whole: true });

  const mask: Mask = {
    isOn: () => all.size > 0,
    text: (text) => maskText(text, { whole: false }),
    typed,
    octets: (octets) => maskOctets(octets, { whole: false }),
    json: (value) => (all.size === 0 ? value : maskJson(value, typed)),
    stream(before) {
      const found = current();
      return found === undefined ? undefined : createMaskingStream(found, before);
    },
  };
  function register(source: string, values: readonly string[]): void {
    const kept = [...new Set(values)].filter((value) => Buffer.byteLength(value) >= MIN_SPELLING_BYTES);
    const before = all;
    if (kept.length > 0) bySource.set(source, kept);
    else bySource.delete(source);
    all = new Set([...bySource.values()].flat());
    if (before.size !== all.size || [...all].some((value) => !before.has(value))) automaton = undefined;
  }

  return {
    mask,
    register,
    remember(source, values, most) {
      const known = bySource.get(source) ?? [];
      register(source, [...known.filter((value) => !values.includes(value)), ...values].slice(-most));
    },
  };
}

/** Neither a value nor, where it may have been cut, the telling beginning of one at the end. */
function isClean(automaton: Automaton, octets: Buffer, { whole }: Readonly<{ whole: boolean }>): boolean {
  let isFound = false;
  const state = automaton.scan(octets, 0, () => {
    isFound = true;
  });
  return !isFound && (whole || automaton.tellingOf(state) === 0);
}

function maskJson(value: unknown, text: (text: string) => string): unknown {
  if (typeof value === 'string') return text(value);
  if (typeof value === 'number') return text(String(value)) === REDACTED ? REDACTED : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map((item) => maskJson(item, text));
    return items.every((item, index) => item === value[index]) ? value : items;
  }
  const members = Object.entries(value);
  const masked = members.map(([name, member]) => [text(name), maskJson(member, text)] as const);
  const isClean = masked.every(
    ([name, member], index) => name === members[index]?.[0] && member === members[index]?.[1],
  );
  return isClean ? value : Object.fromEntries(masked);
}
