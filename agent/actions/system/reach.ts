import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import { errnoOf } from '../../../runtime/errno.js';

/** Whether something answered, and how in a few words; never with text that the other side sent. */
export type Reached = Readonly<{ ok: boolean; detail: string }>;

const PORTS: ReadonlyMap<string, number> = new Map([
  ['mqtt:', 1883],
  ['mqtts:', 8883],
  ['ws:', 80],
  ['wss:', 443],
]);

/** Opens a connection to the host and port of a URL and closes it. */
export async function reachTcp(url: URL, signal: AbortSignal): Promise<Reached> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = url.port === '' ? PORTS.get(url.protocol) : Number(url.port);
  if (port === undefined) return { ok: false, detail: `no port is known for ${url.protocol}` };
  return new Promise((resolve) => {
    const socket = connect({ host, port, signal });
    socket.once('connect', () => {
      socket.destroy();
      resolve({ ok: true, detail: 'connected' });
    });
    socket.once('error', (error) => resolve({ ok: false, detail: faultOf(error, signal) }));
  });
}

/**
 * Gets a URL. A redirect is an answer like any other and not followed: it would lead where nobody has allowed to go.
 * The body is not read.
 */
export async function reachHttp(url: URL, status: number | undefined, signal: AbortSignal): Promise<Reached> {
  try {
    const response = await fetch(url, { redirect: 'manual', signal });
    await response.body?.cancel();
    const ok = status === undefined ? response.ok : response.status === status;
    return { ok, detail: `answered ${response.status}` };
  } catch (error) {
    return {
      ok: false,
      detail: faultOf(error instanceof Error && error.cause !== undefined ? error.cause : error, signal),
    };
  }
}

/** Resolves a name as programs of the node do. */
export async function reachName(url: URL, signal: AbortSignal): Promise<Reached> {
  try {
    const addresses = await lookup(url.hostname, { all: true });
    return { ok: true, detail: `${addresses.length} ${addresses.length === 1 ? 'address' : 'addresses'}` };
  } catch (error) {
    return { ok: false, detail: faultOf(error, signal) };
  }
}

function faultOf(error: unknown, signal: AbortSignal): string {
  return signal.aborted ? 'no answer in time' : (errnoOf(error) ?? 'failed');
}
