import type { Welcome } from '../../protocol/messages/control.js';
import { elapsedMs, type Moment, takeMoment, type WakefulClock } from '../../runtime/clock.js';
import type { Standing } from '../executor/admission.js';

/** What the controller said of this node in the last welcome, and the time by its clock. */
export type StandingRecord = Readonly<{
  /** Undefined before the first welcome of this process. */
  read: () => Standing | undefined;
  /** Corrected milliseconds since 1970: the welcome's `now` plus the time since then, in which the machine may have been suspended. */
  nowMs: () => number | undefined;
  take: (welcome: Welcome) => void;
}>;

/** The last welcome, and when it came. */
type Welcomed = Readonly<{
  nowMs: number;
  takenAt: Moment;
  enrolledAtMs: number;
  groups: ReadonlyMap<string, number>;
}>;

/** A record that has seen no welcome. */
export function createStanding(clock: WakefulClock): StandingRecord {
  let last: Welcomed | undefined;
  const nowMs = (): number | undefined =>
    last === undefined ? undefined : last.nowMs + elapsedMs(clock, last.takenAt);
  return {
    nowMs,
    read() {
      const now = nowMs();
      if (last === undefined || now === undefined) return undefined;
      return { nowMs: now, enrolledAtMs: last.enrolledAtMs, groups: last.groups };
    },
    take({ now, enrolled_at, groups }) {
      last = {
        nowMs: Date.parse(now),
        takenAt: takeMoment(clock),
        enrolledAtMs: Date.parse(enrolled_at),
        groups: new Map(groups.map(({ id, since }) => [id, Date.parse(since)])),
      };
    },
  };
}
