import type { FastifySwaggerUiOptions } from '@fastify/swagger-ui';
import { DOCS_CONTENT_POLICY } from './transport.js';

const LOGO = `<svg xmlns="http://www.w3.org/2000/svg" width="150" height="40" viewBox="0 0 150 40">
<g fill="none" stroke="#4f9dde" stroke-width="2.5"><circle cx="20" cy="20" r="4"/><circle cx="20" cy="20" r="10" stroke-dasharray="11 5"/><circle cx="20" cy="20" r="16" stroke-dasharray="19 6"/></g>
<text x="46" y="28" font-family="sans-serif" font-size="22" font-weight="600" fill="#fff">Muster</text></svg>`;

/** The page at `/docs`, on which the API can be tried. */
export const DOCS_PAGE = {
  routePrefix: '/docs',
  transformStaticCSP: () => DOCS_CONTENT_POLICY,
  theme: { title: 'Muster API' },
  logo: { type: 'image/svg+xml', content: Buffer.from(LOGO), href: '/docs', target: '_self' },
} satisfies FastifySwaggerUiOptions;
