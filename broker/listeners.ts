import { readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';
import { parseDuration } from '../protocol/durations.js';
import { MusterError } from '../protocol/errors.js';
import { listen } from '../runtime/listen.js';
import type { Logger } from '../runtime/logger.js';
import type { BrokerConfig } from './config.js';
import type { ConnectionSlots } from './connection-slots.js';
import { createWebSocketServer } from './websocket.js';

/** The ports that clients connect to; those that are not configured are absent. */
export type Ports = Readonly<{ port: number; tlsPort?: number; wsPort?: number }>;

/** `stop` ends listening and every connection at once. */
export type Listeners = Readonly<{ ports: Ports; stop: () => Promise<void> }>;

export type ListenerDeps = Readonly<{
  config: BrokerConfig;
  slots: ConnectionSlots;
  /** Called with each byte stream that carries MQTT, and the peer's address. */
  accept: (stream: Duplex, address: string) => void;
  /** A connection found no free slot. */
  onFull: (address: string) => void;
  log: Logger;
}>;

/**
 * Listens for MQTT over TCP, and over TLS and WebSocket where a port is configured.
 * @throws {MusterError} port_in_use, config_invalid
 */
export async function startListeners(deps: ListenerDeps): Promise<Listeners> {
  const { config, log } = deps;
  const sockets = new Set<Socket>();
  const servers: Server[] = [];

  const open = async (server: Server, at: { host: string; port: number; what: string }): Promise<number> => {
    admitSockets(server, sockets, deps);
    const bound = await listen(server, at);
    server.on('error', (err) => log.error({ err, what: at.what }, 'listener cannot accept'));
    servers.push(server);
    return bound;
  };
  const stop = async (): Promise<void> => {
    const closed = servers.map((server) => new Promise<void>((done) => server.close(() => done())));
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
  };

  const { host, port, tls_host = host, tls_port, ws_port } = config;
  const tls = { host: tls_host, what: 'MQTT over TLS' };
  const ws = { host, what: 'MQTT over WebSocket' };
  try {
    return {
      ports: {
        port: await open(createTcp(deps), { host, port, what: 'MQTT' }),
        ...(tls_port === undefined ? {} : { tlsPort: await open(createTls(deps), { ...tls, port: tls_port }) }),
        ...(ws_port === undefined ? {} : { wsPort: await open(createWs(deps), { ...ws, port: ws_port }) }),
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function createTcp({ accept }: ListenerDeps): Server {
  return createServer((socket) => {
    if (!socket.destroyed) accept(socket, addressOf(socket));
  });
}

function createTls({ config, accept }: ListenerDeps): Server {
  const { tls_cert_file, tls_key_file, connect_timeout } = config;
  try {
    const server = createTlsServer({
      cert: readFileSync(tls_cert_file ?? ''),
      key: readFileSync(tls_key_file ?? ''),
      minVersion: 'TLSv1.2',
      handshakeTimeout: parseDuration(connect_timeout) ?? 0,
    });
    return server.on('secureConnection', (socket) => accept(socket, addressOf(socket)));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MusterError('config_invalid', `broker.tls_cert_file or broker.tls_key_file: ${why}`, { cause });
  }
}

function createWs({ config, accept }: ListenerDeps): Server {
  return createWebSocketServer({
    maxPacketBytes: config.max_packet_bytes,
    handshakeTimeoutMs: parseDuration(config.connect_timeout) ?? 0,
    onStream: (stream, socket) => accept(stream, addressOf(socket)),
  });
}

/** Runs before the server's own listener, so that a TLS or HTTP handshake needs a slot, too. */
function admitSockets(server: Server, sockets: Set<Socket>, { slots, onFull }: ListenerDeps): void {
  server.prependListener('connection', (socket: Socket) => {
    const address = addressOf(socket);
    const release = slots.take(address);
    if (release === undefined) {
      socket.destroy();
      onFull(address);
      return;
    }
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      release();
    });
  });
}

/** The peer's address; an IPv4 address that came in over IPv6 counts as itself. */
function addressOf(socket: Socket): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
}
