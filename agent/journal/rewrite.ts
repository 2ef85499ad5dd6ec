import { type Entries, type Entry, type Octets, toRecord } from './entries.js';
import type { Owner } from './owner.js';
import { encodeRecord, type JournalRecord } from './records.js';
import { replaceSegment, type Segment } from './segment.js';

/** A frame of a new file is about this large. */
const FRAME_BODY_BYTES = 4 * 1024 * 1024;

/** Where an entry's octets lie in the body of a frame. */
type Placement = Readonly<{ entry: Entry; octets: Octets | undefined; at: number; length: number }>;

/**
 * Writes everything that is known into a new file in place of the old one, and points the entries to it. `old` still
 * holds the octets; it stays open.
 */
export async function rewriteJournal(
  file: string,
  { entries, owner, old }: { entries: Entries; owner: Owner; old?: Segment },
): Promise<Segment> {
  const frames: (readonly Placement[])[] = [];
  const placed: (Placement & { offset: number })[] = [];
  const bodies = bodiesOf(entries, { owner, old, onFrame: (placements) => frames.push(placements) });
  const segment = await replaceSegment(file, bodies, (bodyOffset) => {
    for (const placement of frames.pop() ?? []) placed.push({ ...placement, offset: bodyOffset + placement.at });
  });
  for (const { entry, octets, offset, length } of placed) {
    if (entry.octets === octets) entry.octets = { offset, length }; // else it has new ones since, whose own record follows
  }
  return segment;
}

/** The bodies of the frames; each is preceded by a call of `onFrame` that says what it holds. */
function* bodiesOf(
  entries: Entries,
  {
    owner: { machine, org, node },
    old,
    onFrame,
  }: { owner: Owner; old: Segment | undefined; onFrame: (placements: readonly Placement[]) => void },
): Generator<readonly Buffer[]> {
  const { seq, epochMs, welcomeSeq, welcomeMs } = entries.standing;
  const head: JournalRecord[] = [
    { kind: 'journal', v: 1, machine, org, node },
    { kind: 'standing', seq, epoch_ms: epochMs, welcome_seq: welcomeSeq, welcome_ms: welcomeMs },
  ];
  let body = head.flatMap((record) => encodeRecord(record));
  let bytes = lengthOf(body);
  let placements: Placement[] = [];
  for (const entry of [...entries.byId.values()]) {
    const octets = octetsOf(entry, old);
    const [line = Buffer.alloc(0), ...rest] = encodeRecord(toRecord(entry), octets);
    if (octets !== undefined)
      placements.push({ entry, octets: entry.octets, at: bytes + line.length, length: octets.length });
    body.push(line, ...rest);
    bytes += line.length + lengthOf(rest);
    if (bytes < FRAME_BODY_BYTES) continue;
    onFrame(placements);
    yield body;
    [body, bytes, placements] = [[], 0, []];
  }
  if (bytes === 0) return;
  onFrame(placements);
  yield body;
}

/** The octets of an entry, from memory or from its place in the file. */
export function octetsOf({ octets }: Entry, segment: Segment | undefined): Buffer | undefined {
  if (octets === undefined || Buffer.isBuffer(octets)) return octets;
  return segment?.read(octets.offset, octets.length);
}

function lengthOf(parts: readonly Buffer[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}
