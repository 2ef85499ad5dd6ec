import type { IncomingHttpHeaders } from 'node:http';
import { MusterError } from '../../protocol/errors.js';

/** What of a request says which page of which site has made it. */
type Headers = Pick<IncomingHttpHeaders, 'origin' | 'host'> &
  Readonly<{ 'sec-fetch-site'?: string | string[] | undefined }>;

/** What browsers say of requests that our own page has made, or that the person has typed. */
const OWN_SITES: ReadonlySet<unknown> = new Set([undefined, 'same-origin', 'none']);

/**
 * False when a page of another origin asks. Ours are the public one and that of the address that was asked; of the public
 * host only the public scheme, so that a page that came in clear is none of ours. Programs send no Origin.
 */
export function isOwnOrigin({ origin, host = '' }: Headers, publicOrigin: string | undefined): boolean {
  if (origin === undefined || origin === publicOrigin) return true;
  if (!URL.canParse(origin)) return false; // `null`, or no origin at all
  const from = new URL(origin);
  if (publicOrigin !== undefined && from.host === new URL(publicOrigin).host) return false;
  const asked = `${from.protocol}//${host}`;
  return /^https?:$/.test(from.protocol) && URL.canParse(asked) && new URL(asked).origin === from.origin;
}

/** Refuses what a browser sends for a page of another site. @throws {MusterError} forbidden */
export function refuseForeignPages(headers: Headers, publicOrigin: string | undefined): void {
  if (OWN_SITES.has(headers['sec-fetch-site']) && isOwnOrigin(headers, publicOrigin)) return;
  throw new MusterError('forbidden', 'A page of another site may not ask in the name of whoever is signed in here');
}
