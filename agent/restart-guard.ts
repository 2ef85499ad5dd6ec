import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../runtime/atomic-file.js';
import type { Clock } from '../runtime/clock.js';
import { errnoOf } from '../runtime/errno.js';
import type { Logger } from '../runtime/logger.js';

/** Knows whether the agent starts again and again without having been told to. */
export type RestartGuard = Readonly<{
  /** Milliseconds for which only reading actions are still taken; 0 when all are. */
  heldForMs: () => number;
  /** The process ends in order: its start counts no more, unless an action has asked for that end. */
  stop: (end: Readonly<{ isAskedFor: boolean }>) => void;
}>;

export type RestartGuardOptions = Readonly<{
  dataDir: string;
  bootId: string;
  /** Milliseconds since the machine started; no clock that is set changes it. */
  uptimeMs: () => number;
  clock: Clock;
  log: Logger;
  /** Tells when it begins and when it ends to hold. */
  onHold: (isHeld: boolean) => void;
}>;

/** So many restarts within the window, and only reading actions are taken. */
const MAX_RESTARTS = 3;
/** Also how long a process has to run until it is trusted. */
const WINDOW_MS = 600_000;

const StartsFile = z.strictObject({
  v: z.literal(1),
  starts: z.array(z.strictObject({ boot_id: z.string(), uptime_ms: z.number() })).max(MAX_RESTARTS + 1),
});
type Start = z.infer<typeof StartsFile>['starts'][number];

/**
 * Remembers this start in `starts.json` of the data directory, and holds when three starts before it lie within ten
 * minutes and none of them ended in order, or each did because an action asked for it. A disk that does not take the file costs the memory, not the start.
 */
export function createRestartGuard({
  dataDir,
  bootId,
  uptimeMs,
  clock,
  log,
  onHold,
}: RestartGuardOptions): RestartGuard {
  const file = join(dataDir, 'starts.json');
  const startedMs = clock.monotonicMs();
  const own: Start = { boot_id: bootId, uptime_ms: uptimeMs() };
  const before = readStarts(file, log).filter((start) => ageMs(start, own) < WINDOW_MS);
  const recent = before.slice(-MAX_RESTARTS);
  const isLoop = recent.length >= MAX_RESTARTS;
  const store = (starts: readonly Start[]): void => writeStarts(file, starts, log);

  store([...recent, own]);
  onHold(isLoop);
  if (isLoop) log.warn({ restarts: recent.length }, 'restarted too often, only reading actions are accepted');
  // Older starts are forgotten only by a process that lived: the time of another boot is not known otherwise.
  const timer = setTimeout(() => {
    store([]);
    onHold(false);
    if (isLoop) log.info('running for long enough, all actions are accepted');
  }, WINDOW_MS);
  timer.unref();

  return {
    heldForMs: () => (isLoop ? Math.max(0, WINDOW_MS - (clock.monotonicMs() - startedMs)) : 0),
    stop({ isAskedFor }) {
      clearTimeout(timer);
      if (isAskedFor) return;
      if (clock.monotonicMs() - startedMs < WINDOW_MS) store(recent);
    },
  };
}

/** Of a start in an earlier boot only this is certain: it lies before this boot. */
function ageMs(start: Start, now: Start): number {
  const isSameBoot = start.boot_id === now.boot_id && start.uptime_ms <= now.uptime_ms;
  return isSameBoot ? now.uptime_ms - start.uptime_ms : now.uptime_ms;
}

/** What cannot be read counts as no start: it must not keep a node from working. */
function readStarts(file: string, log: Logger): readonly Start[] {
  try {
    return StartsFile.parse(JSON.parse(readFileSync(file, 'utf8'))).starts;
  } catch (err) {
    if (errnoOf(err) !== 'ENOENT') log.warn({ err }, 'earlier starts cannot be read');
    return [];
  }
}

function writeStarts(file: string, starts: readonly Start[], log: Logger): void {
  try {
    writeFileAtomic(file, `${JSON.stringify({ v: 1, starts })}\n`);
  } catch (err) {
    if (errnoOf(err) === undefined) throw err;
    log.warn({ err }, 'this start cannot be remembered');
  }
}
