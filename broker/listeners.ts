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

/** Where clients connect to. */
export type Listeners = Readonly<{
  port: number;
  tlsPort?: number;
  /** Stops listening and ends every connection at once. */
  stop: () => Promise<void>;
}>;

export type ListenerDeps = Readonly<{
  config: BrokerConfig;
  slots: ConnectionSlots;
  /** Called with each byte stream that carries MQTT. */
  accept: (stream: Duplex, address: string) => void;
  /** A connection found no free slot. */
  onFull: (address: string) => void;
  log: Logger;
}>;

/**
 * Listens for MQTT over TCP, and over TLS when it is configured.
 * @throws {MusterError} port_in_use, config_invalid
 */
export async function startListeners(deps: ListenerDeps): Promise<Listeners> {
  const { config } = deps;
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  const open = async (server: Server, port: number, what: string): Promise<number> => {
    admitSockets(server, sockets, deps);
    const bound = await listen(server, { host: config.host, port, what });
    server.on('error', (err) => deps.log.error({ err, what }, 'listener cannot accept'));
    servers.push(server);
    return bound;
  };
  const stop = async (): Promise<void> => {
    const closed = servers.map((server) => new Promise<void>((done) => server.close(() => done())));
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
  };

  try {
    const tls = config.tls_port === undefined ? undefined : createTls(deps);
    const tcp = createServer((socket) => onStream(socket, deps));
    const port = await open(tcp, config.port, 'MQTT');
    if (tls === undefined || config.tls_port === undefined) return { port, stop };
    return { port, tlsPort: await open(tls, config.tls_port, 'MQTT over TLS'), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function createTls(deps: ListenerDeps): Server {
  const { tls_cert_file, tls_key_file, connect_timeout } = deps.config;
  try {
    const server = createTlsServer({
      cert: readFileSync(tls_cert_file ?? ''),
      key: readFileSync(tls_key_file ?? ''),
      minVersion: 'TLSv1.2',
      handshakeTimeout: parseDuration(connect_timeout) ?? 0,
    });
    return server.on('secureConnection', (socket) => onStream(socket, deps));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MusterError('config_invalid', `broker.tls_cert_file or broker.tls_key_file: ${why}`, { cause });
  }
}

/** Runs before the server's own listener, so that also a TLS handshake needs a slot. */
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

function onStream(socket: Socket, { accept }: ListenerDeps): void {
  if (!socket.destroyed) accept(socket, addressOf(socket));
}

/** The peer's address; an IPv4 address that came in over IPv6 counts as itself. */
function addressOf(socket: Socket): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
}
