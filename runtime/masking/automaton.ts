/**
 * Finds many patterns in one pass over the octets, however many and however long they are (Aho and Corasick, "Efficient
 * String Matching", 1975). A state is how much of which pattern the last octets may be; 0 is nothing.
 */
export type Automaton = Readonly<{
  /** Goes on from a state; `onMatch` is told of the longest pattern that ends before `end`. Gives the state after it. */
  scan: (octets: Uint8Array, state: number, onMatch: (start: number, end: number) => void) => number;
  /** How many octets of a pattern the last ones may be. */
  depthOf: (state: number) => number;
  /** How many of the last octets are so much of a pattern that what was cut off matters little; 0 when they are not. */
  tellingOf: (state: number) => number;
}>;

/** The beginning of a pattern tells it when it is half of it, and at least and at most so many octets. */
const [LEAST_TELLING, MOST_TELLING] = [8, 32];

/** How many octets there are. */
const OCTETS = 256;

/** The states, by number: about 20 octets each. Children of one state are a list from `child` along `sibling`. */
type States = Readonly<{
  octet: Uint8Array;
  child: Int32Array;
  sibling: Int32Array;
  /** The state of the longest end of its octets that begins a pattern, too. */
  fail: Int32Array;
  depth: Int32Array;
  /** Length of the longest pattern that ends here, 0 when none does. */
  match: Int32Array;
  isTelling: Uint8Array;
  /** The states after one octet, and after two, which most text leads to: there the lists are long. */
  first: Int32Array;
  second: Int32Array;
}>;

export function createAutomaton(patterns: readonly Uint8Array[]): Automaton {
  const states = plant(patterns);
  const { fail, depth, match, isTelling } = states;

  return {
    scan(octets, before, onMatch) {
      let state = before;
      for (let at = 0; at < octets.length; at += 1) {
        const octet = octets[at] ?? 0;
        let next = follow(states, state, octet);
        while (next === 0 && state !== 0) {
          state = fail[state] ?? 0;
          next = follow(states, state, octet);
        }
        state = next;
        const length = match[state] ?? 0;
        if (length > 0) onMatch(at + 1 - length, at + 1);
      }
      return state;
    },
    depthOf: (state) => depth[state] ?? 0,
    tellingOf(state) {
      for (let at = state; at !== 0; at = fail[at] ?? 0) if (isTelling[at] === 1) return depth[at] ?? 0;
      return 0;
    },
  };
}

/** The state after one more octet; 0 when no pattern goes on so. */
function follow(states: States, state: number, octet: number): number {
  const { first, second, child, sibling, depth, octet: octets } = states;
  if (state === 0) return first[octet] ?? 0;
  if (depth[state] === 1) return second[pairOf(octets[state], octet)] ?? 0;
  let next = child[state] ?? 0;
  while (next !== 0 && octets[next] !== octet) next = sibling[next] ?? 0;
  return next;
}

function pairOf(one = 0, other = 0): number {
  return one * OCTETS + other;
}

function plant(patterns: readonly Uint8Array[]): States {
  const size = patterns.reduce((sum, { length }) => sum + length, 1);
  const states: States = {
    octet: new Uint8Array(size),
    child: new Int32Array(size),
    sibling: new Int32Array(size),
    fail: new Int32Array(size),
    depth: new Int32Array(size),
    match: new Int32Array(size),
    isTelling: new Uint8Array(size),
    first: new Int32Array(OCTETS),
    second: new Int32Array(OCTETS * OCTETS),
  };
  let count = 1;
  for (const pattern of patterns) {
    const telling = Math.min(MOST_TELLING, Math.max(LEAST_TELLING, Math.ceil(pattern.length / 2)));
    let state = 0;
    for (let index = 0; index < pattern.length; index += 1) {
      const octet = pattern[index] ?? 0;
      let next = follow(states, state, octet);
      if (next === 0) {
        next = count;
        count += 1;
        addChild(states, { parent: state, state: next, octet });
      }
      state = next;
      if (index + 1 >= telling) states.isTelling[state] = 1;
    }
    states.match[state] = pattern.length;
  }
  linkFailures(states, count);
  return states;
}

function addChild(
  { octet: octets, child, sibling, depth, first, second }: States,
  { parent, state, octet }: { parent: number; state: number; octet: number },
): void {
  octets[state] = octet;
  depth[state] = (depth[parent] ?? 0) + 1;
  if (parent === 0) first[octet] = state;
  else if (depth[parent] === 1) second[pairOf(octets[parent], octet)] = state;
  sibling[state] = child[parent] ?? 0;
  child[parent] = state;
}

/** Level by level, since the failure of a state is nearer to the root than the state. */
function linkFailures(states: States, count: number): void {
  const { octet, child, sibling, fail, match } = states;
  const queue = new Int32Array(count);
  let last = 1;
  for (let at = 0; at < last; at += 1) {
    const parent = queue[at] ?? 0;
    for (let state = child[parent] ?? 0; state !== 0; state = sibling[state] ?? 0) {
      queue[last] = state;
      last += 1;
      if (parent === 0) continue;
      let behind = fail[parent] ?? 0;
      let next = follow(states, behind, octet[state] ?? 0);
      while (next === 0 && behind !== 0) {
        behind = fail[behind] ?? 0;
        next = follow(states, behind, octet[state] ?? 0);
      }
      fail[state] = next;
      if (match[state] === 0) match[state] = match[next] ?? 0;
    }
  }
}
