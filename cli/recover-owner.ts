import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { recoverOwnerToken } from '../controller/identity/api-tokens.js';
import { createSeal, type Seal } from '../controller/store/audit-seal.js';
import { openStore } from '../controller/store/store.js';
import { isMusterError, MusterError } from '../protocol/errors.js';
import { type Clock, SYSTEM_CLOCK } from '../runtime/clock.js';
import { claimDataDir } from '../runtime/data-dir.js';
import { loadKey } from '../runtime/key-file.js';
import { readConnection, writeConnection } from './installation.js';

/**
 * Makes a new owner's token in the store of a controller that does not run, and keeps it in cli.json. `url` counts when
 * no address is kept there, `storeUrl` names the database of a controller that does not keep its store in a file.
 * @throws {MusterError} unavailable (no store), already_running, usage (no such org)
 */
export async function recoverOwner(
  installation: string,
  { org, url, storeUrl }: { org: string; url: string; storeUrl: string | undefined },
): Promise<void> {
  const token = await recoverInto(join(installation, 'controller'), { org, storeUrl });
  writeConnection(installation, { url: keptUrl(installation) ?? url, token });
}

async function recoverInto(
  directory: string,
  { org, storeUrl }: { org: string; storeUrl: string | undefined },
): Promise<string> {
  if (storeUrl === undefined && !existsSync(join(directory, 'muster.db'))) {
    throw new MusterError('unavailable', `There is no store of a controller in ${directory}`);
  }
  const dataDir = await claimDataDir(directory);
  try {
    const clock = SYSTEM_CLOCK;
    const store = await openStore(storeUrl ?? dataDir.path, { clock, seal: sealOf(dataDir.path, { clock, org }) });
    try {
      const token = await recoverOwnerToken(store, org, clock.nowMs());
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

/** The audit trail stays signed as the controller would; without its key, which lies beside the store, it stays as it is. */
function sealOf(directory: string, { clock, org }: { clock: Clock; org: string }): Seal | undefined {
  const pair = loadKey(join(directory, 'signing.key'));
  if (pair === undefined) return undefined;
  const { signing, public: own } = pair;
  const keyOf = (kid: string) => (kid === own.kid ? ({ key: own.key, role: 'controller' } as const) : undefined);
  return createSeal({ signing: () => signing, keyOf, clock, org });
}
