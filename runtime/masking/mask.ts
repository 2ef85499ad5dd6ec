import { type Automaton, createAutomaton } from './automaton.js';
import { MIN_SPELLING_BYTES, spellingsOf } from './spellings.js';
import { createMaskingStream, type Held, type MaskingStream } from './stream.js';

/** UTF-8 of one unit of a string. */
const MAX_OCTETS_PER_UNIT = 3;

/** Takes registered values out of whatever passes; nothing is done, and nothing kept, while none is registered. */
export type Mask = Readonly<{
  /** False while no value is registered. */
  isOn: () => boolean;
  text: (text: string) => string;
  /** The same buffer when there is nothing in it. */
  octets: (octets: Buffer) => Buffer;
  /** JSON, with the names of members; the same value when there is nothing in it. */
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

  function octets(whole: Buffer): Buffer {
    const found = whole.length < MIN_SPELLING_BYTES ? undefined : current();
    if (found === undefined || isClean(found, whole)) return whole;
    const stream = createMaskingStream(found);
    return Buffer.concat([stream.push(whole), stream.end()]);
  }

  function text(whole: string): string {
    if (all.size === 0 || whole.length * MAX_OCTETS_PER_UNIT < MIN_SPELLING_BYTES) return whole;
    const before = Buffer.from(whole);
    const after = octets(before);
    return after === before ? whole : after.toString();
  }

  const mask: Mask = {
    isOn: () => all.size > 0,
    text,
    octets,
    json: (value) => (all.size === 0 ? value : maskJson(value, text)),
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

/** Neither a value nor the telling beginning of one at the end. */
function isClean(automaton: Automaton, octets: Buffer): boolean {
  let isFound = false;
  const state = automaton.scan(octets, 0, () => {
    isFound = true;
  });
  return !isFound && automaton.tellingOf(state) === 0;
}

function maskJson(value: unknown, text: (text: string) => string): unknown {
  if (typeof value === 'string') return text(value);
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
