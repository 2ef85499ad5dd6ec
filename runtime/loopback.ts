import { isIP } from 'node:net';

/** Whether the host of a URL, as `URL.hostname` spells it, is this machine: what goes there crosses no network. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || (isIP(hostname) === 4 && hostname.startsWith('127.'));
}
