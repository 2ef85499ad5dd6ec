import { setMaxListeners } from 'node:events';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { Services } from '../services.js';
import { createApp } from './app.js';
import type { Dashboard } from './dashboard.js';
import type { StreamLimits } from './event-streams.js';
import { type Face, type FrontConfig, startFront } from './front.js';

/** The REST API as it listens. `stop` answers those who wait and closes every connection. */
export type RunningHttp = Readonly<{ port: number; url: string; stop: () => Promise<void> }>;

type Deps = Readonly<{
  services: Services;
  /** Where they differ from the usual. */
  streamLimits?: Partial<StreamLimits>;
  /** The page at `/`; a sentence is there when absent. */
  dashboard?: Dashboard;
  log: Logger;
  clock: Clock;
}>;

/** The REST API over these services. `stop` answers those who wait. @throws {MusterError} forbidden (a route without a rule) */
export async function createFace(deps: Deps): Promise<{ face: Face; stop: () => Promise<void> }> {
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal); // one for each caller that waits
  const { app } = await createApp({ ...deps, stopping: stopping.signal });
  const upgrades = app.server.listenerCount('upgrade') > 0;
  return {
    face: {
      request: app.routing,
      ...(upgrades ? { upgrade: (...upgrade) => void app.server.emit('upgrade', ...upgrade) } : {}),
    },
    async stop() {
      stopping.abort();
      await app.close();
      app.server.closeIdleConnections();
    },
  };
}

/**
 * The REST API at an address of its own.
 * @throws {MusterError} port_in_use, config_invalid (the address cannot be listened on), forbidden (a route without a rule)
 */
export async function startHttp({ config, ...deps }: Deps & Readonly<{ config: FrontConfig }>): Promise<RunningHttp> {
  const log = deps.log.child({ component: 'http' });
  const { face, stop } = await createFace({ ...deps, log });
  const front = await startFront(config, log).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  front.show(face);
  return {
    port: front.port,
    url: front.url,
    async stop() {
      front.show(undefined);
      await stop();
      await front.stop();
    },
  };
}
