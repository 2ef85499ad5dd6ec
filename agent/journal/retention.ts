import type { Entries, Entry } from './entries.js';

/** An id is kept this long past the end of its request: by then no copy of the request can be believed. */
const KEEP_ID_MS = 24 * 3600 * 1000;
/** A result without a receipt is kept this long. */
const KEEP_RESULT_MS = 30 * 24 * 3600 * 1000;

/** Above this part of the bound, results that the controller holds durably are forgotten, their ids are not. */
const THIN_ABOVE = 0.5;

/**
 * Drops what is no longer needed, the oldest first. `nowMs` is a time that the controller has told, since a wrong clock
 * must not make the node forget what it has run. `dropOutput` removes what lies beside the journal.
 */
export function prune(
  entries: Entries,
  { nowMs, maxBytes, dropOutput }: { nowMs: number; maxBytes: number; dropOutput: (id: string) => void },
): void {
  for (const entry of [...entries.byId.values()]) {
    const isOver = isForgotten(entry, nowMs);
    if (!isOver && !(entry.receipted && entries.liveBytes + entries.spillBytes > maxBytes * THIN_ABOVE)) continue;
    if (entry.spillBytes > 0) dropOutput(entry.id);
    if (isOver) forget(entry, entries);
    else entries.thin(entry);
  }
}

/** What ended since the last welcome did so by a clock that nobody has corrected: it counts from the next one. */
function isForgotten({ state, receipted, expiresMs, finishedMs, sinceWelcome }: Entry, nowMs: number): boolean {
  if (expiresMs + KEEP_ID_MS >= nowMs) return false;
  if (state === 'tombstone' || receipted) return true;
  return state === 'finished' && !sinceWelcome && finishedMs + KEEP_RESULT_MS < nowMs;
}

/** The standing keeps up to when such an id could be used again, should the controller's clock be set back. */
function forget({ id, expiresMs }: Entry, { standing, remove }: Entries): void {
  standing.forgottenMs = Math.max(standing.forgottenMs, expiresMs);
  remove(id);
}
