import { setMaxListeners } from 'node:events';
import { MusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import { withDeadline } from '../../runtime/deadline.js';
import { errnoOf } from '../../runtime/errno.js';
import type { Logger } from '../../runtime/logger.js';
import { httpUrl } from '../../runtime/metrics-server.js';
import type { ControllerConfig } from '../config.js';
import type { Services } from '../services.js';
import { createApp } from './app.js';
import type { StreamLimits } from './event-streams.js';

/** The REST API as it listens. `stop` answers those who wait and closes every connection. */
export type RunningHttp = Readonly<{ port: number; url: string; stop: () => Promise<void> }>;

/** Answers under way have this long to be read once the controller stops. */
const CLOSE_TIMEOUT_MS = 3_000;

/**
 * @throws {MusterError} port_in_use, config_invalid (the address cannot be listened on), forbidden (a route without a rule)
 */
export async function startHttp({
  services,
  config,
  streamLimits = {},
  log,
  clock,
}: {
  services: Services;
  config: Pick<ControllerConfig, 'host' | 'port'>;
  /** Where they differ from the usual. */
  streamLimits?: Partial<StreamLimits>;
  log: Logger;
  clock: Clock;
}): Promise<RunningHttp> {
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal); // one for each caller that waits
  const { app } = await createApp({
    services,
    stopping: stopping.signal,
    streamLimits,
    log: log.child({ component: 'http' }),
    clock,
  });
  const { host } = config;
  try {
    await app.listen({ host, port: config.port });
  } catch (cause) {
    await app.close();
    throw refusalToListen(cause, config);
  }
  const [address] = app.addresses();
  const port = typeof address === 'object' ? address.port : config.port;
  const url = httpUrl(host, port);
  log.info({ url }, 'listening for requests');
  return {
    port,
    url,
    async stop() {
      stopping.abort();
      const closed = app.close();
      await withDeadline(closed, CLOSE_TIMEOUT_MS, 'closing the REST API').catch(() =>
        app.server.closeAllConnections(),
      );
      await closed;
    },
  };
}

function refusalToListen(cause: unknown, { host, port }: Pick<ControllerConfig, 'host' | 'port'>): MusterError {
  if (errnoOf(cause) === 'EADDRINUSE') {
    return new MusterError('port_in_use', `The REST API port ${port} on ${host} is taken by another process`, {
      cause,
    });
  }
  const why = cause instanceof Error ? cause.message : String(cause);
  return new MusterError('config_invalid', `Cannot listen for the REST API on ${host}:${port}: ${why}`, { cause });
}
