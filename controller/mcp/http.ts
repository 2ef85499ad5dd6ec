import type { IncomingHttpHeaders } from 'node:http';
import { createMcpHandler } from '@modelcontextprotocol/server';
import { MusterError } from '../../protocol/errors.js';
import type { Mask } from '../../runtime/masking/mask.js';
import type { McpBackend } from './backend.js';
import { createMcpServer } from './server.js';

/** What of the headers of a request is for the protocol; whose they are was settled before. */
const PASSED_ON = ['accept', 'content-type'] as const;
const OF_PROTOCOL = /^mcp-/;

/**
 * Answers one message. Nothing is kept between two of them: each brings its token, and a server is made for it that
 * knows the caller.
 * @throws {MusterError} invalid_request
 */
export async function answerMcp(
  backend: McpBackend,
  {
    headers,
    message,
    signal,
    onFault,
    mask,
  }: {
    headers: IncomingHttpHeaders;
    message: unknown;
    signal: AbortSignal;
    onFault: (error: unknown) => void;
    mask: Mask;
  },
): Promise<Response> {
  if (Array.isArray(message)) throw new MusterError('invalid_request', 'One message at a time: batches are not taken');
  const handler = createMcpHandler(() => createMcpServer(backend, onFault, mask), {
    maxSubscriptions: 0, // nobody would look whether the caller still may
    keepAliveMs: 0,
  });
  // The address is not looked at; that of the request could be any.
  const request = new Request('http://localhost/mcp', {
    method: 'POST',
    headers: Object.entries(headers).flatMap(([name, value]) => headerOf(name, value)),
    body: JSON.stringify(message),
    signal,
  });
  return handler.fetch(request, { parsedBody: message });
}

function headerOf(name: string, value: string | string[] | undefined): [string, string][] {
  const isPassedOn = OF_PROTOCOL.test(name) || PASSED_ON.some((each) => each === name);
  return isPassedOn && typeof value === 'string' ? [[name, value]] : [];
}
