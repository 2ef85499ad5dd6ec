import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { MusterError } from '../../protocol/errors.js';
import type { Sink } from './event-pump.js';
import type { EndCode } from './event-streams.js';
import { endSoon, endWithProblem } from './transport.js';

/** Nothing is read from clients: this is room for what is refused. */
const MAX_MESSAGE_BYTES = 1024;
/** How long a client has to answer our close. */
const CLOSE_MS = 1_000;
/** How long a client may take over an answer that is no WebSocket; none is held back for longer than 60 s. */
const ANSWER_MS = 90_000;
const CHARACTERS_PER_TURN = 32 * 1024;

/** Close codes of RFC 6455, section 7.4.1. */
const GOING_AWAY = 1001;
const NOT_TAKEN = 1003;
const POLICY = 1008;

/** A request that asked for WebSocket, with its connection. `response` is where a refusal is written. */
export type Upgrade = Readonly<{ socket: Duplex; head: Buffer; response: ServerResponse; timer: NodeJS.Timeout }>;

/** Makes WebSockets of requests that asked for it. */
export type WebSockets = Readonly<{
  /** The answer to such a request: what is written to it goes out as HTTP, and the connection ends after it. */
  prepare: (request: IncomingMessage, socket: Duplex, head: Buffer) => ServerResponse;
  /** Undefined for a request that did not ask for WebSocket. */
  of: (request: IncomingMessage) => Upgrade | undefined;
  /** @throws {MusterError} not_connected: the handshake was not one, or the client went */
  accept: (request: IncomingMessage, upgrade: Upgrade) => Promise<WebSocket>;
}>;

export function createWebSockets(): WebSockets {
  const server = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false });
  server.on('wsClientError', (error, socket) => {
    endWithProblem(socket, new MusterError('invalid_request', `That is no WebSocket handshake: ${error.message}`));
  });
  const upgrades = new WeakMap<IncomingMessage, Upgrade>();
  return {
    prepare(request, socket, head) {
      const response = new ServerResponse(request);
      response.shouldKeepAlive = false;
      // The time-outs of the server do not cover a connection that left it: a client that neither reads nor closes stays.
      const timer = setTimeout(() => socket.destroy(), ANSWER_MS);
      socket.once('close', () => clearTimeout(timer));
      upgrades.set(request, { socket, head, response, timer });
      socket.once('error', () => socket.destroy());
      response.once('finish', () => endSoon(socket));
      Reflect.apply(response.assignSocket, response, [socket]); // typed for sockets alone, and works with any stream
      return response;
    },
    of: (request) => upgrades.get(request),
    accept(request, { socket, head, response, timer }) {
      clearTimeout(timer);
      Reflect.apply(response.detachSocket, response, [socket]);
      return new Promise((resolve, reject) => {
        const fail = (): void => reject(new MusterError('not_connected', 'The client has gone'));
        socket.once('close', fail);
        server.handleUpgrade(request, socket, head, (connection) => {
          socket.off('close', fail);
          resolve(connection);
        });
      });
    },
  };
}

/** True for the handshake of RFC 6455 as far as it decides who answers. */
export function asksForWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';
}

/** A WebSocket as the end of a stream: one text message each. `end` is called when it is over. */
export function createWebSocketSink(socket: WebSocket, end: (code: EndCode) => void): Sink {
  let isAlive = true;
  socket.on('pong', () => {
    isAlive = true;
  });
  socket.on('error', () => socket.terminate());
  socket.on('close', () => end('gone'));
  socket.on('message', () => closeSoon(socket, NOT_TAKEN, 'nothing is read here'));

  function write(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      socket.send(text, (error) => {
        if (error == null) resolve();
        else reject(new MusterError('not_connected', 'The client has gone', { cause: error }));
      });
    });
  }

  return {
    async send(messages) {
      let characters = 0;
      let last: Promise<void> | undefined;
      for (const { text } of messages) {
        last?.catch(() => undefined); // only the last one before a pause is waited for; all fail together
        last = write(text);
        characters += text.length;
        if (characters < CHARACTERS_PER_TURN) continue;
        await last;
        characters = 0;
      }
      await last;
    },
    async beat({ text }) {
      if (!isAlive) throw new MusterError('not_connected', 'The client does not answer pings');
      isAlive = false;
      socket.ping();
      await write(text);
    },
    end({ text }, code) {
      socket.send(text, () => undefined);
      closeSoon(socket, code === 'unavailable' ? GOING_AWAY : POLICY, code);
    },
    destroy: () => socket.terminate(),
  };
}

function closeSoon(socket: WebSocket, code: number, reason: string): void {
  const timer = setTimeout(() => socket.terminate(), CLOSE_MS);
  socket.once('close', () => clearTimeout(timer));
  socket.close(code, reason);
}
