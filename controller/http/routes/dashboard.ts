import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { MusterError } from '../../../protocol/errors.js';
import type { PageFile } from '../dashboard.js';
import { encodingFor } from '../encodings.js';
import { isNoneMatch } from '../etags.js';
import { PAGE_CONTENT_POLICY } from '../transport.js';
import { type App, found, type RouteDeps } from './route.js';

/** A file of the release, for everybody: there is no registered value in it that could be masked. */
const CONFIG = { rule: 'public', isVerbatim: true } as const;
/** Names change with what is in them. */
const FOR_EVER = 'public, max-age=31536000, immutable';

/** The page in a browser, and what it loads. It tells its own views apart by the fragment, so this is every address. */
export function dashboardRoutes(app: App, { dashboard: { page, assets } }: RouteDeps): void {
  app.route({
    method: 'GET',
    url: '/',
    config: CONFIG,
    schema: { hide: true },
    handler: async (request, reply) => {
      if (page === undefined) throw notBuilt();
      reply.headers({
        'content-security-policy': PAGE_CONTENT_POLICY,
        'cross-origin-opener-policy': 'same-origin',
        'cache-control': 'no-cache',
      });
      return sendFile(page, request, reply);
    },
  });

  app.route({
    method: 'GET',
    url: '/assets/:file',
    config: CONFIG,
    schema: { hide: true, params: z.strictObject({ file: z.string() }) },
    handler: async (request, reply) => {
      const file = found(assets.get(request.params.file), 'such file of the dashboard');
      reply.header('cache-control', FOR_EVER);
      return sendFile(file, request, reply);
    },
  });
}

function sendFile(
  { type, tag, plain, packed }: PageFile,
  { headers }: Pick<FastifyRequest, 'headers'>,
  reply: FastifyReply,
): FastifyReply {
  const encoding = encodingFor(headers['accept-encoding']);
  const octets = encoding === undefined ? undefined : packed.get(encoding);
  const etag = `"${tag}${octets === undefined ? '' : `-${encoding}`}"`;
  reply.headers({ etag, vary: 'accept-encoding' });
  if (isNoneMatch(headers['if-none-match'] ?? '', etag)) return reply.code(304).send();
  if (octets !== undefined) reply.header('content-encoding', encoding);
  return reply.type(type).send(octets ?? plain);
}

function notBuilt(): MusterError {
  return new MusterError(
    'not_found',
    'The dashboard is not built here: run npm run build and start the controller again',
  );
}
