import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { MusterError } from '../../protocol/errors.js';
import { withDeadline } from '../../runtime/deadline.js';
import { errnoOf } from '../../runtime/errno.js';
import type { Logger } from '../../runtime/logger.js';
import { httpUrl } from '../../runtime/metrics-server.js';
import type { ControllerConfig } from '../config.js';
import { refuseUnreadable, sendUnavailable } from './transport.js';
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
const KEEP_ALIVE_MS = 72_000;
/** Answers under way have this long to be read once the controller stops. */
const CLOSE_TIMEOUT_MS = 3_000;

/** @throws {MusterError} port_in_use, config_invalid (the address cannot be listened on) */
export async function startFront({ host, port }: Pick<ControllerConfig, 'host' | 'port'>, log: Logger): Promise<Front> {
  let face: Face | undefined;
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: HEADERS_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS },
    (request, response) => {
      if (face === undefined) sendUnavailable(response);
      else face.request(request, response);
    },
  );
  const onUpgrade: NonNullable<Face['upgrade']> = (request, socket, head) => {
    if (asksForWebSocket(request)) face?.upgrade?.(request, socket, head);
    else answerWithoutUpgrade(server, request, [socket, head]);
  };
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('clientError', (error, socket) => refuseUnreadable(error, socket));
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

function refusalToListen(cause: unknown, { host, port }: Pick<ControllerConfig, 'host' | 'port'>): MusterError {
  if (errnoOf(cause) === 'EADDRINUSE') {
    return new MusterError('port_in_use', `The REST API port ${port} on ${host} is taken by another process`, {
      cause,
    });
  }
  const why = cause instanceof Error ? cause.message : String(cause);
  return new MusterError('config_invalid', `Cannot listen for the REST API on ${host}:${port}: ${why}`, { cause });
}
