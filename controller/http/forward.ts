import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { pipeline } from 'node:stream';
import type { Logger } from '../../runtime/logger.js';
import type { Face } from './front.js';
import { endUnavailable, sendUnavailable } from './transport.js';

/** The controller that leads, as long as it does: the signal fires when it does no longer. */
export type Leader = Readonly<{ address: string; signal: AbortSignal }>;

/** An answer is held back for 60 s at most; one that has not begun by then never will. */
const ANSWER_MS = 75_000;

/** Marks what another controller passed on, so that two that each take the other for the leader do not go round. */
const PASSED_ON = 'muster-passed-on';

/** Headers of one connection and not of the message (RFC 9110, section 7.6.1). */
const OF_CONNECTION = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'];

/**
 * Passes every request on to the controller that leads, byte by byte in both directions, and answers 503 when there is
 * none or it does not answer.
 */
export function createForwarder({ leader, log }: { leader: () => Leader | undefined; log: Logger }): Required<Face> {
  function begin(request: IncomingMessage, headers: IncomingHttpHeaders): ClientRequest | undefined {
    const to = leader();
    if (to === undefined || PASSED_ON in request.headers) return undefined;
    const send = to.address.startsWith('https:') ? requestHttps : requestHttp;
    const { method, url = '/' } = request;
    const onward = send(new URL(to.address).origin, {
      ...{ method, path: url, headers: { ...headers, [PASSED_ON]: '1' }, signal: to.signal },
      agent: false, // a connection that the other side has just closed would fail a request that it never saw
    });
    const timer = setTimeout(() => onward.destroy(new Error('no answer in time')), ANSWER_MS);
    for (const event of ['response', 'upgrade', 'close']) onward.once(event, () => clearTimeout(timer));
    return onward;
  }

  return {
    request(request, response) {
      const onward = begin(request, withoutConnection(request.headers));
      if (onward === undefined) return sendUnavailable(response);
      onward.once('response', (answer) => {
        response.writeHead(answer.statusCode ?? 502, withoutConnection(answer.headers));
        pipeline(answer, response, () => undefined);
      });
      onward.on('error', (err) => {
        log.debug({ err }, 'request not passed on');
        if (response.headersSent) response.destroy();
        else sendUnavailable(response);
      });
      response.once('close', () => onward.destroy());
      request.pipe(onward);
    },
    upgrade(request, socket, head) {
      const { connection = 'upgrade', upgrade = '' } = request.headers;
      const onward = begin(request, { ...withoutConnection(request.headers), connection, upgrade });
      socket.on('error', () => onward?.destroy());
      if (onward === undefined) return endUnavailable(socket);
      onward.once('response', (answer) => {
        socket.write(`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\nConnection: close\r\n\r\n`);
        pipeline(answer, socket, () => undefined);
      });
      onward.on('error', () => endUnavailable(socket));
      onward.once('upgrade', (answer, other, rest) => {
        socket.write(headOf(answer));
        socket.write(rest);
        other.write(head);
        pipeline(socket, other, () => undefined);
        pipeline(other, socket, () => undefined);
      });
      socket.once('close', () => onward.destroy());
      onward.end();
    },
  };
}

function withoutConnection(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !OF_CONNECTION.includes(name)));
}

/** The head of an answer as it came. */
function headOf({ statusCode, statusMessage, rawHeaders }: IncomingMessage): string {
  const lines = rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${rawHeaders[index + 1]}`] : []));
  return [`HTTP/1.1 ${statusCode} ${statusMessage}`, ...lines, '', ''].join('\r\n');
}
