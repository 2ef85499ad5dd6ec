/** Two sets that have to be the same: what the trail tells of, and what the store holds. */
export type Tally = Readonly<{
  /** Each of a set once, by a SHA-256 in hex. */
  tell: (sha256: string) => void;
  hold: (sha256: string) => void;
  readonly isSame: boolean;
}>;

/** The same set of hashes has the same sum, in whatever order they come: a million of them need no memory. */
type Sum = { count: number; a: number; b: number };

export function createTally(): Tally {
  const told: Sum = { count: 0, a: 0, b: 0 };
  const held: Sum = { count: 0, a: 0, b: 0 };
  return {
    tell: (sha256) => add(told, sha256),
    hold: (sha256) => add(held, sha256),
    get isSame() {
      return told.count === held.count && told.a === held.a && told.b === held.b;
    },
  };
}

function add(sum: Sum, sha256: string): void {
  sum.count += 1;
  sum.a ^= Number.parseInt(sha256.slice(0, 8), 16);
  sum.b ^= Number.parseInt(sha256.slice(8, 16), 16);
}
