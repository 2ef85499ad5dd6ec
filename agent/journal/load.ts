import { renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { isMusterError, MusterError } from '../../protocol/errors.js';
import { syncDirectory } from '../../runtime/atomic-file.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import { createEntries, type Entries } from './entries.js';
import { CHAIN_START } from './frame.js';
import { isSameOwner, type Owner } from './owner.js';
import { type Opening, readNewest, readOpening, readSealed, type SegmentEnd } from './segment.js';
import { type SegmentsState, segmentFile, segmentNumbers } from './segments.js';

/** What the journal in a directory holds. `cutBytes` counts those of a torn last write, already cut off. */
type Loaded = Readonly<{ entries: Entries; state: SegmentsState; cutBytes: number }>;

const EMPTY: SegmentsState = { sizes: new Map(), newest: undefined };

/**
 * What the journal holds; nothing when there is none, or when it had to be set aside because it is damaged inside or
 * belongs to another machine or node. Damage is never skipped: what the bad part said may matter.
 */
export function loadJournal(
  directory: string,
  { owner, clock, log }: { owner: Owner; clock: Clock; log: Logger },
): Readonly<{ entries: Entries; state: SegmentsState }> {
  const nothing = { entries: createEntries(), state: { ...EMPTY, sizes: new Map<number, number>() } };
  const found = statSync(directory, { throwIfNoEntry: false });
  const numbers = found?.isDirectory() === true ? segmentNumbers(directory) : [];
  if (found === undefined || (found.isDirectory() && numbers.length === 0)) return nothing;
  // Before 0.1.0 the journal was one file: nothing of it is believed, so that nothing of it runs twice.
  const loaded = found.isDirectory() ? readUndamaged(() => readFiles(directory, numbers, owner), log) : 'older';
  if (typeof loaded === 'object') {
    if (loaded.cutBytes > 0) log.warn({ cutBytes: loaded.cutBytes }, 'journal had a torn end');
    return loaded;
  }
  const aside = `${directory}.${loaded}-${clock.nowMs()}`;
  renameSync(directory, aside);
  syncDirectory(dirname(directory));
  log.error({ aside, reason: loaded }, 'journal set aside, a new one begins');
  return nothing;
}

function readUndamaged(read: () => Loaded | 'foreign', log: Logger): Loaded | 'foreign' | 'damaged' {
  try {
    return read();
  } catch (err) {
    if (!isMusterError(err, 'payload_malformed')) throw err;
    log.error({ err }, 'journal is damaged');
    return 'damaged';
  }
}

function readFiles(directory: string, numbers: readonly number[], owner: Owner): Loaded | 'foreign' {
  const openings = numbers.map((number) => readOpening(segmentFile(directory, number)));
  if (!openings.every((opening) => isSameOwner(opening, owner))) return 'foreign';
  const [first = 0] = numbers;
  const entries = createEntries();
  const sizes = new Map<number, number>();
  let oldest = Math.max(...openings.map((opening) => opening.oldest));
  let end: SegmentEnd | undefined = first === 1 ? { size: 0, digest: CHAIN_START } : undefined;
  let cutBytes = 0;
  for (const [index, opening] of openings.entries()) {
    const number = first + index;
    if (opening.segment !== number) throw new MusterError('payload_malformed', `journal file ${number} is missing`);
    const successor = openings[index + 1];
    const file = segmentFile(directory, number);
    const read = readOne(file, { successor, previous: end?.digest }, ({ record, offset, octets: length }) => {
      if (record.kind === 'dropped') oldest = Math.max(oldest, record.oldest);
      const octets = length === 0 ? undefined : { segment: number, offset, length };
      entries.apply({ record, octets, segment: number });
    });
    ({ end } = read);
    cutBytes += read.cutBytes;
    sizes.set(number, end.size);
  }
  if (first > oldest) throw new MusterError('payload_malformed', `journal file ${oldest} is missing`);
  dropBefore(oldest, { directory, sizes, entries });
  const number = first + numbers.length - 1;
  return { entries, state: { sizes, newest: end && { ...end, number } }, cutBytes };
}

function readOne(
  file: string,
  { successor, previous }: { successor: Opening | undefined; previous: Buffer | undefined },
  take: Parameters<typeof readNewest>[2],
): Readonly<{ end: SegmentEnd; cutBytes: number }> {
  if (successor === undefined) return readNewest(file, previous, take);
  return { end: readSealed(file, { size: successor.previous_size, previous }, take), cutBytes: 0 };
}

/** Ends what a crash kept a compaction from ending: what is still needed of these files was said anew. */
function dropBefore(
  oldest: number,
  { directory, sizes, entries }: { directory: string; sizes: Map<number, number>; entries: Entries },
): void {
  for (const { id, base } of [...entries.byId.values()]) if (base < oldest) entries.remove(id);
  for (const number of [...sizes.keys()]) {
    if (number >= oldest) continue;
    sizes.delete(number);
    rmSync(segmentFile(directory, number), { force: true });
  }
}
