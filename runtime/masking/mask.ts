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
}>;

/** None is registered. The values are never given back. */
export function createSecrets(): Secrets {
  const bySource = new Map<string, readonly string[]>();
  /** Made when something has to be masked for the first time after a change. */
  let automaton: Automaton | undefined;
  let count = 0;

  function current(): Automaton | undefined {
    if (count > 0) automaton ??= createAutomaton([...bySource.values()].flat().flatMap(spellingsOf));
    return automaton;
  }

  function octets(all: Buffer): Buffer {
    const found = all.length < MIN_SPELLING_BYTES ? undefined : current();
    if (found === undefined || isClean(found, all)) return all;
    const stream = createMaskingStream(found);
    return Buffer.concat([stream.push(all), stream.end()]);
  }

  function text(whole: string): string {
    if (count === 0 || whole.length * MAX_OCTETS_PER_UNIT < MIN_SPELLING_BYTES) return whole;
    const before = Buffer.from(whole);
    const after = octets(before);
    return after === before ? whole : after.toString();
  }

  const mask: Mask = {
    isOn: () => count > 0,
    text,
    octets,
    json: (value) => (count === 0 ? value : maskJson(value, text)),
    stream(before) {
      const found = current();
      return found === undefined ? undefined : createMaskingStream(found, before);
    },
  };
  return {
    mask,
    register(source, values) {
      const kept = [...new Set(values)].filter((value) => Buffer.byteLength(value) >= MIN_SPELLING_BYTES);
      if (isSame(kept, bySource.get(source) ?? [])) return;
      bySource.set(source, kept);
      automaton = undefined;
      count = [...bySource.values()].flat().length;
    },
  };
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((value, index) => value === others[index]);
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
