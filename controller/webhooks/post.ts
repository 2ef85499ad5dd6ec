import { createHmac } from 'node:crypto';
import { lookup as resolveName } from 'node:dns/promises';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import { withDeadline } from '../../runtime/deadline.js';
import { startTimeLimit } from '../../runtime/time-limit.js';
import { VERSION } from '../../runtime/version.js';
import { createNetworks, createPublicCheck } from './addresses.js';
import type { Webhook } from './webhooks-file.js';

/** One message to a webhook. `id` is that of the event. */
export type Delivery = Readonly<{ id: number; event: string; body: string; nowMs: number }>;

/**
 * What came of it: `refused` by a receiver that is there, `failed` when there is none to ask or it asks for patience. `why`
 * is in words for the log, without what the receiver said.
 */
export type Posted = Readonly<{ kind: 'delivered' }> | Readonly<{ kind: 'refused' | 'failed'; why: string }>;

/** Every address of a name. @throws {Error} it has none */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

/** Sends one message and waits for the answer; never rejects. */
export type Post = (delivery: Delivery, signal: AbortSignal) => Promise<Posted>;

/** What a receiver says for which it is too much, and a gateway for a receiver that is not there. */
const AWAY: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** From the resolution of the name to the end of the answer. */
const POST_MS = 10_000;

/**
 * Posts to one webhook, over a connection of its own each time. The name is resolved once, every address that it has is
 * judged, and the connection goes to one that was: whoever answers for the name later has no say. Redirects are answers
 * like any other that is no success.
 */
export function createPost({ url, secret, allow }: Webhook, resolve: Resolve = resolveAll): Post {
  const target = new URL(url);
  const isPublic = createPublicCheck();
  const allowed = createNetworks(allow);
  return async (delivery, signal) => {
    const { signal: ending, release } = startTimeLimit(signal, POST_MS);
    try {
      const addresses = await withDeadline(resolve(hostOf(target)), POST_MS, 'resolving its name');
      const address = addresses.find((each) => isPublic(each) || allowed.has(each));
      if (address === undefined) return { kind: 'failed', why: 'none of its addresses is public, or allowed' };
      const status = await send(target, { address, headers: headersOf(delivery, secret), body: delivery.body, ending });
      if (status >= 200 && status < 300) return { kind: 'delivered' };
      return { kind: AWAY.has(status) ? 'failed' : 'refused', why: `answered ${status}` };
    } catch (error) {
      return { kind: 'failed', why: ending.aborted ? 'no answer in time' : wordsOf(error) };
    } finally {
      release();
    }
  };
}

/** `v1` is the HMAC-SHA-256 of the time, a full stop and the body: an old message cannot be passed on as a new one. */
export function signatureOf(secret: string, timestamp: number, body: string): string {
  return `v1=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`;
}

function headersOf({ id, event, body, nowMs }: Delivery, secret: string): Readonly<Record<string, string | number>> {
  const timestamp = Math.floor(nowMs / 1000);
  return {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'user-agent': `Muster/${VERSION}`,
    'muster-event': event,
    'muster-delivery': id,
    'muster-timestamp': timestamp,
    'muster-signature': signatureOf(secret, timestamp, body),
  };
}

/** Gives the status of the answer; what else it holds is not read. */
function send(
  target: URL,
  {
    address,
    headers,
    body,
    ending,
  }: { address: string; headers: Readonly<Record<string, string | number>>; body: string; ending: AbortSignal },
): Promise<number> {
  const isTls = target.protocol === 'https:';
  const name = hostOf(target);
  return new Promise((resolve, reject) => {
    const options = {
      method: 'POST',
      host: address,
      port: target.port === '' ? (isTls ? 443 : 80) : Number(target.port),
      path: `${target.pathname}${target.search}`,
      headers: { ...headers, host: target.host },
      agent: false as const,
      signal: ending,
      ...(isTls && isIP(name) === 0 ? { servername: name } : {}),
    };
    const request = (isTls ? requestHttps : requestHttp)(options, (response) => {
      resolve(response.statusCode ?? 0);
      response.destroy();
    });
    request.once('error', reject);
    request.end(body);
  });
}

/** Without the brackets of an IPv6 address. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

async function resolveAll(hostname: string): Promise<string[]> {
  return (await resolveName(hostname, { all: true })).map(({ address }) => address);
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
