import { createServer, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import type { TestScope } from './broker.js';

/** What came to a receiver. */
export type Received = Readonly<{ path: string; headers: IncomingHttpHeaders; body: string }>;

/** A server that takes what is posted to it. */
export type Receiver = Readonly<{
  url: string;
  got: readonly Received[];
  /** Resolves with the first message. */
  first: Promise<void>;
  /** From now on it answers so. */
  answer: (status: number) => void;
  stop: () => Promise<void>;
}>;

/** Listens on loopback and ends with the test; `isSilent` answers nobody. */
export async function startReceiver(
  t: TestScope,
  how: { status?: number; headers?: OutgoingHttpHeaders; isSilent?: boolean } = {},
): Promise<Receiver> {
  const got: Received[] = [];
  let status = how.status ?? 204;
  let tell = (): void => {};
  const first = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      got.push({ path: request.url ?? '', headers: request.headers, body: Buffer.concat(parts).toString('utf8') });
      tell();
      if (how.isSilent !== true) response.writeHead(status, how.headers).end();
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const stop = (): Promise<void> =>
    new Promise((stopped) => {
      server.close(() => stopped());
      server.closeAllConnections();
    });
  t.after(stop);
  return {
    ...{ url: `http://127.0.0.1:${port}`, got, first, stop },
    answer(next) {
      status = next;
    },
  };
}
