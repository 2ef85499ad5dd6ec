import { isIP } from 'node:net';
import { MusterError } from '../../protocol/errors.js';
import type { Principal } from '../services.js';

/**
 * Who approves has no business here: with such a token a program would approve its own asks.
 * @throws {MusterError} forbidden
 */
export function refuseApprovers(role: Principal['role']): void {
  if (role === 'sandbox' || role === 'operator') return;
  throw new MusterError(
    'forbidden',
    `MCP is for sandboxes and operators, and the token is that of a role ${role}: make a sandbox`,
  );
}

/**
 * A page of another site may make a browser ask: by its own name, which then leads to our address (DNS rebinding), or as
 * a stranger, which `Origin` tells.
 * @throws {MusterError} forbidden
 */
export function refuseForeignSites(
  { host = '', origin }: Readonly<{ host?: string | undefined; origin?: string | undefined }>,
  ourNames: readonly string[],
): void {
  if (!isOurs(hostnameOf(`http://${host}`), ourNames)) {
    throw new MusterError(
      'forbidden',
      'The Host is none that this controller is called by: list it in controller.mcp_hosts',
    );
  }
  if (origin !== undefined && hostnameOf(origin) !== hostnameOf(`http://${host}`)) {
    throw new MusterError('forbidden', 'The request comes from a page of another site');
  }
}

/** No name of the Domain Name System leads to an address that is written out. */
function isOurs(hostname: string | undefined, ourNames: readonly string[]): boolean {
  if (hostname === undefined) return false;
  return hostname === 'localhost' || isIP(hostname.replace(/^\[|\]$/g, '')) !== 0 || ourNames.includes(hostname);
}

function hostnameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname.toLowerCase() : undefined;
}
