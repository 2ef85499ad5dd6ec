import fc from 'fast-check';

/** JSON values that programs stumble over. */
const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<unknown>(null, '', {}, [], true, -1, 0.5, 1e308, '__proto__', 'constructor', '0s', '-1s', '99999h'),
  fc.constantFrom<unknown>(
    '2026-13-45T25:61:61Z',
    '\u0000',
    '\ud800',
    '../../etc/passwd',
    'muster/#',
    '$(reboot)',
    'é'.repeat(3000),
  ),
);

/** One change of a JSON value: which of its members, counted over all depths, and what becomes of it. */
export type Mutation = Readonly<{ member: number; change: 'replace' | 'remove' | 'rename'; value: unknown }>;

export const mutations: fc.Arbitrary<Mutation[]> = fc.array(
  fc.record({
    member: fc.nat(),
    change: fc.constantFrom('replace' as const, 'replace' as const, 'remove' as const, 'rename' as const),
    value: hostileValue,
  }),
  { minLength: 1, maxLength: 3 },
);

/** A copy of a JSON object with these changes. */
export function mutate(original: Readonly<Record<string, unknown>>, changes: readonly Mutation[]): unknown {
  const copy: Record<string, unknown> = structuredClone(original);
  for (const { member, change, value } of changes) {
    const places = membersOf(copy);
    const place = places[member % Math.max(1, places.length)];
    if (place === undefined) break;
    const [owner, name] = place;
    if (change === 'rename') owner[`${name}_`] = owner[name];
    if (change === 'replace') owner[name] = value;
    else delete owner[name];
  }
  return copy;
}

function membersOf(value: Record<string, unknown>): [owner: Record<string, unknown>, name: string][] {
  return Object.entries(value).flatMap(([name, member]): [Record<string, unknown>, string][] => [
    [value, name],
    ...(isContainer(member) ? membersOf(member) : []),
  ]);
}

/** Lists count as objects whose names are their places. */
function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Where bytes are cut out, how many, and what stands there instead; positions in thousandths of the whole. */
export type Splice = Readonly<{ at: number; remove: number; insert: Uint8Array }>;

export const splices: fc.Arbitrary<Splice[]> = fc.array(
  fc.record({ at: fc.nat(999), remove: fc.nat(40), insert: fc.uint8Array({ maxLength: 8 }) }),
  { minLength: 1, maxLength: 4 },
);

/** A copy of the bytes with these cuts. */
export function splice(original: Uint8Array, cuts: readonly Splice[]): Buffer {
  let bytes: Buffer = Buffer.from(original);
  for (const { at, remove, insert } of cuts) {
    const start = Math.floor((bytes.length * at) / 1000);
    bytes = Buffer.concat([bytes.subarray(0, start), insert, bytes.subarray(start + remove)]);
  }
  return bytes;
}
