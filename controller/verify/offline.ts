import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MusterError } from '../../protocol/errors.js';
import { openKeyList } from '../../protocol/key-list.js';
import { admitKey } from '../../protocol/keys.js';
import type { Clock } from '../../runtime/clock.js';
import { claimDataDir } from '../../runtime/data-dir.js';
import { createVault } from '../integrations/vault.js';
import { isMigrated } from '../store/migrations/list.js';
import { openConnection } from '../store/sqlite.js';
import { DATABASE_FILE } from '../store/store.js';
import type { KeptHead } from './audit-trail.js';
import type { VerifyReport } from './findings.js';
import { verifyStore } from './run.js';

/**
 * Verifies the SQLite store of a controller that does not run, or a copy of its directory; changes nothing in it.
 * @throws {MusterError} unavailable (no store, or of another release), already_running, config_invalid (its public keys),
 *   storage_failed
 */
export async function verifyDirectory(
  directory: string,
  { org, clock, kept }: { org: string; clock: Clock; kept?: KeptHead | undefined },
): Promise<VerifyReport> {
  const file = join(directory, DATABASE_FILE);
  if (!existsSync(file)) throw new MusterError('unavailable', `There is no store of a controller in ${directory}`);
  const keys = readPublicKeys(directory, org);
  const dataDir = await claimDataDir(directory);
  try {
    const { queries: read, close } = openConnection(file);
    try {
      if (!(await isMigrated(read))) {
        throw new MusterError('unavailable', 'The store is of another release: verify it with that one');
      }
      const beforeMs = Number.POSITIVE_INFINITY;
      const vault = createVault(directory);
      return await verifyStore({ read, keyOf: (kid) => keys.get(kid), vault, clock, beforeMs, kept });
    } finally {
      await close();
    }
  } finally {
    await dataDir.release();
  }
}

function readPublicKeys(directory: string, org: string): ReturnType<typeof openKeyList>['keys'] {
  try {
    const root = admitKey(JSON.parse(readFileSync(join(directory, 'public', 'root.jwk.json'), 'utf8')));
    return openKeyList(readFileSync(join(directory, 'public', 'keys.jws'), 'utf8').trim(), root, org).keys;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MusterError('config_invalid', `The public keys in ${directory} cannot be used: ${why}`, { cause });
  }
}
