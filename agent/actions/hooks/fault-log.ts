import type { Logger } from '../../../runtime/logger.js';
import type { HookFault } from './discover.js';

/** A directory full of what is no hook should not fill the log. */
const MAX_LINES = 50;

/** Logs what a look found wrong and the one before it had not: each fault once, as long as it lasts. */
export function createFaultLog(log: Logger): (faults: readonly HookFault[]) => void {
  let known = new Set<string>();
  return (faults) => {
    const now = new Map(faults.map((each) => [JSON.stringify(each), each]));
    const fresh = [...now].flatMap(([key, each]) => (known.has(key) ? [] : [each]));
    known = new Set(now.keys());
    for (const { message, ...fields } of fresh.slice(0, MAX_LINES)) log.warn(fields, message);
    if (fresh.length > MAX_LINES) log.warn({ count: fresh.length - MAX_LINES }, 'further faults among the hooks');
  };
}
