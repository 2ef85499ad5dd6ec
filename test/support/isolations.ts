import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { detectIsolation, type Isolation } from '../../agent/actions/isolation.js';
import { ISOLATION_LIMITS } from '../../agent/actions-config.js';
import { isMusterError } from '../../protocol/errors.js';
import { createLogger } from '../../runtime/logger.js';
import { until } from './until.js';

/** Every way of holding processes together that this machine has, by its name. */
export async function findIsolations(): Promise<ReadonlyMap<string, Isolation>> {
  const log = createLogger('agent', { level: 'silent' });
  const found = new Map<string, Isolation>();
  for (const limit of ISOLATION_LIMITS) {
    try {
      found.set(limit, await detectIsolation(log, limit));
    } catch (error) {
      if (!isMusterError(error, 'config_invalid')) throw error;
    }
  }
  return found;
}

/** A number of seconds that no other process sleeps: who sleeps so long is found by it, in any namespace. */
export function createCanary(): string {
  return String(randomInt(1e8, 1e9));
}

/** The pids of the processes that have this canary among their arguments. A zombie has ended: init is yet to collect it. */
export function findCanaries(canary: string): number[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.filter((pid) => {
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return args.includes(canary) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    } catch {
      return false; // it has ended meanwhile
    }
  });
}

/** Waits until nobody sleeps so long any more. */
export async function assertNoCanary(canary: string): Promise<void> {
  await until(() => findCanaries(canary).length === 0, { what: `the end of every sleep ${canary}` });
}
