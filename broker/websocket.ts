import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';

/** A frame may carry more than one packet; what it carries is held to the packet size afterwards. */
const FRAME_SLACK_BYTES = 64 * 1024;

/**
 * An HTTP server that takes MQTT over WebSocket [MQTT-6.0.0]: the client must offer the subprotocol `mqtt`. Any other
 * request is answered 426. `onStream` gets the byte stream inside the frames and the socket that carries it.
 */
export function createWebSocketServer({
  maxPacketBytes,
  handshakeTimeoutMs,
  onStream,
}: {
  maxPacketBytes: number;
  handshakeTimeoutMs: number;
  onStream: (stream: Duplex, socket: Socket) => void;
}): Server {
  const upgrades = new WebSocketServer({
    noServer: true,
    maxPayload: maxPacketBytes + FRAME_SLACK_BYTES,
    perMessageDeflate: false,
    handleProtocols: () => 'mqtt',
  });
  const server = createServer((_request, response) => {
    response.writeHead(426, { connection: 'close', upgrade: 'websocket' });
    response.end();
  });
  server.headersTimeout = handshakeTimeoutMs;
  server.requestTimeout = handshakeTimeoutMs;
  server.on('upgrade', (request, socket, head) => {
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((protocol) => protocol.trim());
    if (!offered.includes('mqtt')) {
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n', () => socket.destroy());
      return;
    }
    upgrades.handleUpgrade(request, socket, head, (connection) =>
      onStream(createWebSocketStream(connection), request.socket),
    );
  });
  return server;
}
