import type { Welcome } from '../../protocol/messages/control.js';
import type { Clock } from '../../runtime/clock.js';
import type { Standing } from '../executor/admission.js';

/** What the controller said of this node in the last welcome, and the time by its clock. */
export type StandingRecord = Readonly<{
  /** Undefined before the first welcome of this process. */
  read: () => Standing | undefined;
  /** Corrected milliseconds since 1970: the welcome's `now` plus what the monotonic clock has counted since. */
  nowMs: () => number | undefined;
  take: (welcome: Welcome) => void;
}>;

/** A record that has seen no welcome. */
export function createStanding(clock: Clock): StandingRecord {
  let last: { offsetMs: number; enrolledAtMs: number; groups: ReadonlyMap<string, number> } | undefined;
  const nowMs = (): number | undefined => (last === undefined ? undefined : last.offsetMs + clock.monotonicMs());
  return {
    nowMs,
    read() {
      const now = nowMs();
      if (last === undefined || now === undefined) return undefined;
      return { nowMs: now, enrolledAtMs: last.enrolledAtMs, groups: last.groups };
    },
    take({ now, enrolled_at, groups }) {
      last = {
        offsetMs: Date.parse(now) - clock.monotonicMs(),
        enrolledAtMs: Date.parse(enrolled_at),
        groups: new Map(groups.map(({ id, since }) => [id, Date.parse(since)])),
      };
    },
  };
}
