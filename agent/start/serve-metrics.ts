import { startUsualMetricsServer } from '../../runtime/metrics-server.js';
import type { AgentSession } from '../session/session.js';
import type { Context } from './context.js';

const DEFAULT_METRICS_PORT = 9464;

/**
 * Serves metrics, health and readiness over HTTP; gives the port, or undefined when none is wanted.
 * @throws {MusterError} port_in_use
 */
export async function serveMetrics(
  { settings, metrics, stops }: Context,
  session: AgentSession,
): Promise<number | undefined> {
  const { metrics_host: host, metrics_port: chosen } = settings;
  if (chosen === -1) return undefined;
  const { registry } = metrics;
  const server = await startUsualMetricsServer(
    { chosen, usual: DEFAULT_METRICS_PORT },
    {
      host,
      render: async () => ({ body: await registry.metrics(), contentType: registry.contentType }),
      notReady: () => (session.connected ? undefined : 'there is no connection to the broker'),
    },
  );
  stops.add(server.stop);
  return server.port;
}
