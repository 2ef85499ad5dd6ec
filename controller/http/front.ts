import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { MusterError } from '../../protocol/errors.js';
import { withDeadline } from '../../runtime/deadline.js';
import { errnoOf } from '../../runtime/errno.js';
import type { Logger } from '../../runtime/logger.js';
import { httpUrl } from '../../runtime/metrics-server.js';
import type { ControllerConfig } from '../config.js';
import { refuseUnreadable, sendProblem, sendUnavailable } from './transport.js';
import { answerWithoutUpgrade } from './upgrade.js';
import { asksForWebSocket } from './websocket.js';

/** What answers behind the address: the REST API of this controller, or the way to the one that leads. */
export type Face = Readonly<{
  request: (request: IncomingMessage, response: ServerResponse) => void;
  /** For WebSockets; absent where there are none. */
  upgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}>;

/** The address that callers know. It stays while what is behind it changes. */
export type Front = Readonly<{
  port: number;
  url: string;
  /** Undefined answers everything with 503. */
  show: (face: Face | undefined) => void;
  /** Lets answers under way be read, then closes every connection. */
  stop: () => Promise<void>;
}>;

/** A client has this long to send its request, so that one that dribbles does not hold a connection. */
const REQUEST_TIMEOUT_MS = 30_000;
const HEADERS_TIMEOUT_MS = 15_000;
/** How often is looked for such clients. */
const CHECK_MS = 5_000;
const KEEP_ALIVE_MS = 72_000;
/** A client that takes nothing of its answer for so long is gone; the longest wait for an answer is that of `verify`. */
const STALL_MS = 600_000;
/** Between two log lines about clients that find no place. */
const DROP_LOG_MS = 60_000;
/** Answers under way have this long to be read once the controller stops. */
const CLOSE_TIMEOUT_MS = 3_000;

/** The settings of the address. */
export type FrontConfig = Pick<ControllerConfig, 'host' | 'port' | 'max_http_connections'>;

/** @throws {MusterError} port_in_use, config_invalid (the address cannot be listened on) */
export async function startFront(
  { host, port, max_http_connections: maxConnections }: FrontConfig,
  log: Logger,
): Promise<Front> {
  let face: Face | undefined;
  /** The newest answer on each connection. */
  const answers = new WeakMap<Duplex, ServerResponse>();
  const server = createServer({
    ...{ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: HEADERS_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS },
    ...{ connectionsCheckingInterval: CHECK_MS, requireHostHeader: false },
  });
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    answers.set(request.socket, response);
    if (request.headers.host === undefined && request.httpVersion === '1.1') sendProblem(response, withoutHost());
    else if (face === undefined) sendUnavailable(response);
    else face.request(request, response);
  };
  server.on('request', onRequest);
  server.on('checkExpectation', onRequest); // what a client expects beyond 100-continue changes no answer
  server.setTimeout(STALL_MS);
  limitConnections(server, maxConnections, log);
  const onUpgrade: NonNullable<Face['upgrade']> = (request, socket, head) => {
    if (asksForWebSocket(request)) face?.upgrade?.(request, socket, head);
    else answerWithoutUpgrade(server, request, [socket, head]);
  };
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('clientError', (error, socket) => {
    refuseUnreadable(error, socket, answers.get(socket)?.writableFinished === false);
  });
  await new Promise<void>((listening, failed) => {
    server.once('error', (cause) => failed(refusalToListen(cause, { host, port })));
    server.listen(port, host, listening);
  });
  const address = server.address();
  const actual = typeof address === 'object' && address !== null ? address.port : port;
  const url = httpUrl(host, actual);
  log.info({ url }, 'listening for requests');
  return {
    port: actual,
    url,
    show(next) {
      face = next;
      server.off('upgrade', onUpgrade); // with a listener, Node answers no request that asks for an upgrade
      if (next?.upgrade !== undefined) server.on('upgrade', onUpgrade);
    },
    async stop() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeIdleConnections();
      await withDeadline(closed, CLOSE_TIMEOUT_MS, 'closing the REST API').catch(() => {
        for (const socket of sockets) socket.destroy();
      });
      await closed;
    },
  };
}

/** Beyond these a client is cut off at once, so that there are descriptors left for the store and the broker. */
function limitConnections(server: Server, maxConnections: number, log: Logger): void {
  let quietUntilMs = Number.NEGATIVE_INFINITY;
  server.maxConnections = maxConnections;
  server.on('drop', () => {
    if (performance.now() < quietUntilMs) return;
    quietUntilMs = performance.now() + DROP_LOG_MS;
    log.warn({ maxConnections }, 'too many connections, clients are cut off');
  });
}

/** RFC 9112, section 3.2. */
function withoutHost(): MusterError {
  return new MusterError('invalid_request', 'The request has no Host header');
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
