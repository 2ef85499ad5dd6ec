import { existsSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { isMusterError } from '../../protocol/errors.js';
import { syncDirectory } from '../../runtime/atomic-file.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import { createEntries, type Entries, placeOf } from './entries.js';
import { isSameOwner, type Owner } from './owner.js';
import { type OpenedSegment, openSegment, type Segment } from './segment.js';

/**
 * What the journal file holds; undefined when there is none, or when it had to be set aside because it is damaged
 * inside or belongs to another machine or node. Damage is never skipped: what the bad part said may matter.
 */
export function loadJournal(
  file: string,
  { owner, clock, log }: { owner: Owner; clock: Clock; log: Logger },
): { entries: Entries; segment: Segment } | undefined {
  if (!existsSync(file)) return undefined;
  const entries = createEntries();
  let isForeign = false;
  const opened = openUndamaged(
    () =>
      openSegment(file, (placed) => {
        const { record } = placed;
        if (record.kind === 'journal') isForeign ||= !isSameOwner(record, owner);
        entries.apply({ record, octets: placeOf(placed) });
      }),
    log,
  );
  if (opened !== undefined && !isForeign) {
    if (opened.cutBytes > 0) log.warn({ cutBytes: opened.cutBytes }, 'journal had a torn end');
    return { entries, segment: opened.segment };
  }
  opened?.segment.close();
  const aside = `${file}.${isForeign ? 'foreign' : 'damaged'}-${clock.nowMs()}`;
  renameSync(file, aside);
  syncDirectory(dirname(file));
  log.error({ aside, isForeign }, 'journal set aside, a new one begins');
  return undefined;
}

function openUndamaged(open: () => OpenedSegment, log: Logger): OpenedSegment | undefined {
  try {
    return open();
  } catch (err) {
    if (!isMusterError(err, 'payload_malformed')) throw err;
    log.error({ err }, 'journal is damaged');
    return undefined;
  }
}
