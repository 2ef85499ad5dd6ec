import type { Status } from '../../protocol/messages/status.js';
import { toTime } from '../../runtime/clock.js';
import { VERSION } from '../../runtime/version.js';
import type { Speaker } from '../executor/to-result.js';

/** What a `status` message says beside who says it. */
export type StatusFacts = Readonly<{
  state: Status['state'];
  reason: string;
  connection: number;
  sinceMs: number;
}>;

/** The `status` message of this process, for its own saying and for the Will. */
export function toStatus({ bootId, processId }: Speaker, { state, reason, connection, sinceMs }: StatusFacts): Status {
  return {
    v: 1,
    state,
    reason,
    boot_id: bootId,
    process_id: processId,
    connection,
    since: toTime(sinceMs),
    agent_version: VERSION,
  };
}
