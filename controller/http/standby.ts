import type { ServerResponse } from 'node:http';
import type { Logger } from '../../runtime/logger.js';
import { createForwarder, type Leader } from './forward.js';
import type { Face } from './front.js';
import { SECURITY_HEADERS } from './transport.js';

type Rendered = Readonly<{ body: string; contentType: string }>;

const TEXT = 'text/plain; charset=utf-8';

/** What a controller answers while another one leads: of itself its health and metrics, else what that one answers. */
export function createStandbyFace(deps: {
  leader: () => Leader | undefined;
  metrics: () => Promise<Rendered>;
  log: Logger;
}): Face {
  const { leader, metrics, log } = deps;
  const forwarder = createForwarder({ leader, log });

  /** Its own pages, by path. */
  const pages = new Map<string, (response: ServerResponse) => void>([
    ['/healthz', (response) => answer(response, 200, { body: 'ok\n', contentType: TEXT })],
    [
      '/readyz',
      (response) => {
        const isReady = leader() !== undefined;
        const body = isReady ? 'standby\n' : 'No controller leads at the moment\n';
        answer(response, isReady ? 200 : 503, { body, contentType: TEXT });
      },
    ],
    [
      '/metrics',
      (response) => {
        metrics().then(
          (rendered) => answer(response, 200, rendered),
          (err: unknown) => {
            log.error({ err }, 'metrics not rendered');
            response.destroy();
          },
        );
      },
    ],
  ]);
  return {
    ...forwarder,
    request(request, response) {
      const path = request.url?.split('?', 1)[0] ?? '';
      const page = request.method === 'GET' || request.method === 'HEAD' ? pages.get(path) : undefined;
      if (page === undefined) forwarder.request(request, response);
      else page(response);
    },
  };
}

function answer(response: ServerResponse, status: number, { body, contentType }: Rendered): void {
  response.writeHead(status, { ...SECURITY_HEADERS, 'content-type': contentType });
  response.end(body);
}
