import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import { followByReloader, type Reloader } from '../reloader.js';
import { appendAudit } from '../store/audit.js';
import type { Store } from '../store/store.js';
import { parsePolicyFile } from './parse-policy.js';
import { readPolicy } from './policies.js';
import { installPolicy } from './service.js';

/** Of a faulty file so much is audited; the log has all of it. */
const MAX_AUDITED = 500;

/**
 * Puts the policy of a file in force when the file has changed, within two seconds. A faulty one changes nothing: the
 * policy in force stays, and the log and the audit trail say why.
 */
export function followPolicyFile({
  file,
  org,
  store,
  clock,
  log,
}: {
  file: string;
  org: string;
  store: Store;
  clock: Clock;
  log: Logger;
}): Reloader {
  async function take(): Promise<void> {
    const parsed = parsePolicyFile(file);
    const nowMs = clock.nowMs();
    const { version } = await readPolicy(store.read, org);
    if ('faults' in parsed) {
      log.error({ faults: parsed.faults, version }, 'policy file refused');
      const details = { faults: parsed.faults.join('; ').slice(0, MAX_AUDITED) };
      const subject = `policy:${version}`;
      const entry = { atMs: nowMs, org, actor: 'controller', event: 'policy_file_refused', subject, details };
      await store.write((tx) => appendAudit(tx, [entry]));
      return;
    }
    const installed = await installPolicy(store, { org, policy: parsed.policy, nowMs });
    if (installed.version !== version) log.info({ version: installed.version }, 'policy replaced');
  }

  return followByReloader(file, take, (err) => log.warn({ err }, 'policy file not taken, tried again'));
}
