import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';

/** Names that ask for another protocol on this connection. */
const ASKS = new Set(['upgrade', 'http2-settings']);

/**
 * Answers a request as if it had not asked for another protocol, as RFC 9110, section 7.8, allows: its head is written
 * anew without the asking, and the connection begins again with it. Some libraries offer HTTP/2 with each first request.
 */
export function answerWithoutUpgrade(server: Server, request: IncomingMessage, connection: [Duplex, Buffer]): void {
  const [socket, head] = connection;
  socket.unshift(Buffer.concat([Buffer.from(headOf(request), 'latin1'), head]));
  server.emit('connection', socket);
}

function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = [rawHeaders[at], rawHeaders[at + 1]];
    const isConnection = name.toLowerCase() === 'connection';
    const kept = isConnection ? withoutAsks(value) : value;
    if (!ASKS.has(name.toLowerCase()) && !(isConnection && kept === '')) lines.push(`${name}: ${kept}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function withoutAsks(connection: string): string {
  const options = connection.split(',').map((option) => option.trim());
  return options.filter((option) => !ASKS.has(option.toLowerCase())).join(', ');
}
