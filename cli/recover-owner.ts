import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { recoverOwnerToken } from '../controller/identity/api-tokens.js';
import { openStore } from '../controller/store/store.js';
import { isMusterError, MusterError } from '../protocol/errors.js';
import { SYSTEM_CLOCK } from '../runtime/clock.js';
import { claimDataDir } from '../runtime/data-dir.js';
import { readConnection, writeConnection } from './installation.js';

/**
 * Makes a new owner's token in the store of a controller that does not run, and keeps it in cli.json. `url` counts when
 * no address is kept there.
 * @throws {MusterError} unavailable (no store), already_running, usage (no such org)
 */
export async function recoverOwner(installation: string, { org, url }: { org: string; url: string }): Promise<void> {
  const token = await recoverInto(join(installation, 'controller'), org);
  writeConnection(installation, { url: keptUrl(installation) ?? url, token });
}

async function recoverInto(directory: string, org: string): Promise<string> {
  if (!existsSync(join(directory, 'muster.db'))) {
    throw new MusterError('unavailable', `There is no store of a controller in ${directory}`);
  }
  const dataDir = await claimDataDir(directory);
  try {
    const store = await openStore(dataDir.path);
    try {
      const token = await recoverOwnerToken(store, org, SYSTEM_CLOCK.nowMs());
      if (token === undefined) throw new MusterError('usage', `The org ${org} has no owner here`);
      return token;
    } finally {
      await store.close();
    }
  } finally {
    await dataDir.release();
  }
}

function keptUrl(installation: string): string | undefined {
  try {
    return readConnection(installation).url;
  } catch (error) {
    if (isMusterError(error)) return undefined;
    throw error;
  }
}
