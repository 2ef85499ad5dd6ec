import { createServer, request } from 'node:http';
import { pipeline } from 'node:stream';
import type { TestScope } from './broker.js';
import { listening } from './listening.js';

/** A reverse proxy that serves `target` below a path, and knows nothing else; gives that address, without a slash at its end. */
export async function startPrefixProxy(
  t: TestScope,
  { prefix, target }: { prefix: string; target: string },
): Promise<string> {
  const server = createServer((asked, answer) => {
    const { method = 'GET', url = '', headers } = asked;
    if (!url.startsWith(`${prefix}/`)) return void answer.writeHead(404).end();
    const passed = request(`${target}${url.slice(prefix.length)}`, { method, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers).flushHeaders();
      pipeline(response, answer, () => undefined);
    });
    passed.once('error', () => answer.destroy());
    answer.once('close', () => passed.destroy());
    pipeline(asked, passed, () => undefined);
  });
  return `${await listening(t, server)}${prefix}`;
}
