import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { MusterError } from '../../protocol/errors.js';
import type { ControllerConfig } from '../config.js';
import type { Front } from '../http/front.js';
import { createStandbyFace } from '../http/standby.js';
import { createRevocationsFile } from '../identity/revocations-file.js';
import { createStandbyMetrics } from '../metrics.js';
import { createLease } from '../store/lease.js';
import { isMigrated } from '../store/migrations/list.js';
import { lastRevocationMs } from '../store/node-keys.js';
import type { Store } from '../store/store.js';
import { type Office, startOffice } from './office.js';
import { beginTerm, type TermDeps } from './term.js';

/** How often a controller looks whether a node was removed, while another one leads: its own broker may follow its file. */
const REVOCATIONS_MS = 2_000;

/**
 * A controller among others on one database: it leads while it holds the lease, and passes on what callers ask while
 * another one does.
 * @throws {MusterError} storage_failed, forbidden (a route without a rule)
 */
export async function startShared({
  storeUrl,
  ...deps
}: Omit<TermDeps, 'ready' | 'holds'> & Readonly<{ storeUrl: string }>): Promise<Office> {
  const { store, config, front, log } = deps;
  let office: Office | undefined;
  const lease = createLease({
    url: storeUrl,
    holder: randomUUID(),
    address: config.peer_url ?? addressOf(config, front),
    onLost: () => office?.resign('the connection to the database was lost'),
  });
  const standby = createStandbyFace({
    leader: () => office?.leader(),
    metrics: createStandbyMetrics().render,
    log: log.child({ component: 'http' }),
  });
  front.show(standby);
  office = await startOffice({
    ...{ lease, clock: deps.clock, log },
    async begin({ fence, holds }) {
      await refuseOtherShape(store);
      const end = await beginTerm({ ...deps, store: store.inTerm(fence), ready: 'leader', holds });
      return async () => {
        front.show(standby);
        await end();
      };
    },
  }).catch(async (error: unknown) => {
    await lease.stop();
    throw error;
  });
  const stopFollowing = followRevocations({ ...deps, isLeading: () => office?.isLeading ?? false });
  return {
    ...office,
    async stop() {
      stopFollowing();
      await office?.stop();
    },
  };
}

/** A newer release may have come and gone since this one started. @throws {MusterError} storage_failed */
async function refuseOtherShape({ read }: Store): Promise<void> {
  if (await isMigrated(read)) return;
  throw new MusterError('storage_failed', 'The database has the shape of another release: this one cannot lead on it');
}

/** Where it listens; a name of this machine when that is everywhere. */
function addressOf({ host }: ControllerConfig, { port, url }: Front): string {
  return host === '0.0.0.0' || host === '::' ? `http://${hostname()}:${port}` : url;
}

/** Keeps the file for the broker beside this controller as the one that leads keeps its own. */
function followRevocations({
  isLeading,
  ...deps
}: Omit<TermDeps, 'ready' | 'holds'> & Readonly<{ isLeading: () => boolean }>): () => void {
  const { store, config, log } = deps;
  const file = createRevocationsFile({ ...deps, org: config.org });
  let written: number | undefined;
  const timer = setInterval(() => {
    if (isLeading()) return;
    lastRevocationMs(store.read, config.org)
      .then(async (newest = 0) => {
        if (newest === written) return;
        await file.write();
        written = newest;
      })
      .catch((err: unknown) => log.debug({ err }, 'removed nodes not read'));
  }, REVOCATIONS_MS);
  return () => clearInterval(timer);
}
