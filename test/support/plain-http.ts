import { type IncomingHttpHeaders, request } from 'node:http';

/** An answer as it came: nothing is unpacked or followed. */
export type PlainAnswer = Readonly<{ status: number; headers: IncomingHttpHeaders; body: Buffer; text: string }>;

/** Sends exactly these headers and this path, which `fetch` would tidy up. */
export function askPlainly(
  url: string,
  {
    method = 'GET',
    path,
    headers = {},
    body,
  }: { method?: string; path: string; headers?: Readonly<Record<string, string | readonly string[]>>; body?: string },
): Promise<PlainAnswer> {
  const { hostname, port } = new URL(url);
  const all = { ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }), ...headers };
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, method, path, headers: all, agent: false }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.once('error', reject);
      answer.once('end', () => {
        const octets = Buffer.concat(parts);
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: octets, text: octets.toString() });
      });
    });
    asked.once('error', reject);
    asked.end(body);
  });
}
