import { isMusterError } from '../../../protocol/errors.js';
import type { Clock } from '../../../runtime/clock.js';
import type { Logger } from '../../../runtime/logger.js';
import { followByReloader, type Reloader } from '../../reloader.js';
import { appendAudit } from '../../store/audit.js';
import type { Store } from '../../store/store.js';
import type { LiveAdapters } from '../adapters/list.js';
import { type DeclaredFile, readDeclaredFile } from './read-file.js';

/** Of a faulty file so much is audited; the log has all of it. */
const MAX_AUDITED = 500;

/**
 * Speaks to other systems as a file says when the file has changed, within two seconds. A faulty one changes nothing:
 * what was declared before stays, and the log and the audit trail say why.
 */
export function followDeclaredAdapters({
  file,
  adapters,
  inForce,
  org,
  store,
  clock,
  log,
}: {
  file: string;
  adapters: Pick<LiveAdapters, 'replace'>;
  /** The file as it was read at the start. */
  inForce: Pick<DeclaredFile, 'sha256'>;
  org: string;
  store: Store;
  clock: Clock;
  log: Logger;
}): Reloader {
  let { sha256 } = inForce;

  function tell(event: string, details: Readonly<Record<string, string>>): Promise<void> {
    const subject = 'integrations_file';
    return store.write((tx) =>
      appendAudit(tx, [{ atMs: clock.nowMs(), org, actor: 'controller', event, subject, details }]),
    );
  }

  async function take(): Promise<void> {
    let read: DeclaredFile;
    try {
      read = readDeclaredFile(file);
    } catch (error) {
      if (!isMusterError(error, 'config_invalid')) throw error;
      log.error({ err: error }, 'integrations file refused');
      return tell('integrations_file_refused', { faults: error.message.slice(0, MAX_AUDITED), in_force: sha256 });
    }
    if (read.sha256 === sha256) return;
    await tell('integrations_file_changed', { sha256: read.sha256, replaces: sha256 });
    adapters.replace(read.adapters);
    sha256 = read.sha256;
    log.info({ adapters: read.adapters.map(({ integration }) => integration) }, 'integrations file taken');
  }

  return followByReloader(file, take, (err) => log.warn({ err }, 'integrations file not taken, tried again'));
}
