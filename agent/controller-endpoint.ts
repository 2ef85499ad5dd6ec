import { MusterError } from '../protocol/errors.js';
import { isLoopback } from '../runtime/loopback.js';

/**
 * The URL of a route of the controller's REST API. Off loopback it must be https, since secrets cross the network.
 * @throws {MusterError} usage
 */
export function controllerEndpoint(base: string, path: string): URL {
  const url = URL.canParse(base) ? new URL(base) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new MusterError('usage', `${JSON.stringify(base)} is not the URL of a controller`);
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw new MusterError(
      'usage',
      `Use https: ${url.host} is not on this machine, and secrets would cross the network in the clear`,
    );
  }
  return new URL(path, url.href.endsWith('/') ? url : `${url.href}/`);
}
