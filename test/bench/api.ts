import { Agent, request } from 'node:http';

/** A JSON call over a kept-alive connection; many may be under way at once. */
export type Api = Readonly<{
  call: (
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<{ status: number; body: unknown }>;
  close: () => void;
}>;

/** Talks to a controller with a token. */
export function createApi(url: string, token: string): Api {
  const agent = new Agent({ keepAlive: true, noDelay: true, maxSockets: 200 });
  return {
    call: (method, path, body, headers = {}) =>
      new Promise((resolve, reject) => {
        const text = body === undefined ? undefined : JSON.stringify(body);
        const outgoing = request(
          `${url}${path}`,
          {
            agent,
            method,
            headers: {
              authorization: `Bearer ${token}`,
              ...(text === undefined
                ? {}
                : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
              ...headers,
            },
          },
          (response) => {
            const parts: Buffer[] = [];
            response.on('data', (part: Buffer) => parts.push(part));
            response.on('error', reject);
            response.on('end', () => {
              const answer = Buffer.concat(parts).toString();
              resolve({ status: response.statusCode ?? 0, body: answer === '' ? undefined : JSON.parse(answer) });
            });
          },
        );
        outgoing.on('error', reject);
        outgoing.end(text);
      }),
    close: () => agent.destroy(),
  };
}
