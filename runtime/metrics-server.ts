import { createServer, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { isMusterError } from '../protocol/errors.js';
import { listen } from './listen.js';

/** Serves `/metrics`, `/healthz` (the process lives) and `/readyz` (503 with a sentence until it can work). */
export type MetricsServer = Readonly<{ port: number; stop: () => Promise<void> }>;

/**
 * @throws {MusterError} port_in_use
 */
export async function startMetricsServer({
  host,
  port,
  render,
  notReady,
}: {
  host: string;
  /** 0 for any free port. */
  port: number;
  /** The exposition text and its content type. */
  render: () => Promise<{ body: string; contentType: string }>;
  /** Why the part cannot work yet; undefined when it can. */
  notReady: () => string | undefined;
}): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?', 1)[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 405, 'only GET\n');
    if (path === '/healthz') return answer(response, 200, 'ok\n');
    if (path === '/readyz') return answer(response, notReady() === undefined ? 200 : 503, `${notReady() ?? 'ok'}\n`);
    if (path !== '/metrics') return answer(response, 404, 'try /metrics, /healthz or /readyz\n');
    render().then(
      ({ body, contentType }) => answer(response, 200, body, contentType),
      () => answer(response, 500, 'metrics could not be read\n'),
    );
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 10_000;
  const bound = await listen(server, { host, port, what: 'metrics' });
  return {
    port: bound,
    stop: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

/**
 * The same on a port that somebody chose, or on the usual one; when that is taken and nobody chose it, on a free one,
 * since several agents or installations share a machine.
 * @throws {MusterError} port_in_use
 */
export async function startUsualMetricsServer(
  { chosen, usual }: { chosen: number | undefined; usual: number },
  options: Omit<Parameters<typeof startMetricsServer>[0], 'port'>,
): Promise<MetricsServer> {
  try {
    return await startMetricsServer({ ...options, port: chosen ?? usual });
  } catch (error) {
    if (chosen === undefined && isMusterError(error, 'port_in_use')) return startMetricsServer({ ...options, port: 0 });
    throw error;
  }
}

/** `http://host:port`, with brackets around an IPv6 address. */
export function httpUrl(host: string, port: number): string {
  return `http://${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

function answer(
  response: ServerResponse,
  status: number,
  body: string,
  contentType = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'content-type': contentType });
  response.end(body);
}
