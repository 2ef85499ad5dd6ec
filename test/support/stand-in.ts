import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { TestScope } from './broker.js';
import { listening } from './listening.js';

/** A request as it arrived; `path` without its query, `body` as JSON, undefined when there was none. */
export type Seen = Readonly<{
  method: string;
  path: string;
  query: Readonly<Record<string, string>>;
  headers: IncomingMessage['headers'];
  body: unknown;
}>;

/** What it answers: JSON, unless `text` is there; `hang` answers nothing, ever. */
export type Reply =
  | Readonly<{ status?: number; json?: unknown; text?: string | Buffer; headers?: Readonly<Record<string, string>> }>
  | 'hang';

/** An HTTP service that stands in for another system. */
export type StandIn = Readonly<{
  url: string;
  /** Every request, oldest first. */
  requests: readonly Seen[];
  /** The newest request. */
  last: () => Seen;
}>;

/** Starts one on a free port of 127.0.0.1; it ends with the test, and so do its connections. */
export async function startStandIn(
  t: TestScope,
  reply: (seen: Seen, count: number) => Reply | Promise<Reply>,
): Promise<StandIn> {
  const requests: Seen[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const seen = await readRequest(request);
      requests.push(seen);
      send(response, await reply(seen, requests.length));
    })();
  });
  const url = await listening(t, server);
  return {
    url,
    requests,
    last() {
      const seen = requests.at(-1);
      if (seen === undefined) throw new Error('nothing was asked of the stand-in');
      return seen;
    },
  };
}

async function readRequest(request: IncomingMessage): Promise<Seen> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(Buffer.from(part));
  const text = Buffer.concat(parts).toString();
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://stand-in');
  return {
    method: request.method ?? '',
    path: pathname,
    query: Object.fromEntries(searchParams),
    headers: request.headers,
    body: text === '' ? undefined : JSON.parse(text),
  };
}

function send(response: ServerResponse, reply: Reply): void {
  if (reply === 'hang') return;
  const { status = 200, json, text = JSON.stringify(json ?? null), headers = {} } = reply;
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
}
