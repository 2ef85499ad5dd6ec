import type { Server } from 'node:net';
import { MusterError } from '../protocol/errors.js';
import { errnoOf } from './errno.js';

/**
 * Binds a server and gives the port that it got.
 * @throws {MusterError} port_in_use, config_invalid (the address is not one of this machine, or not allowed)
 */
export function listen(
  server: Server,
  { host, port, what }: { host: string; port: number; what: string },
): Promise<number> {
  return new Promise((bound, failed) => {
    const onError = (cause: Error): void => {
      failed(
        errnoOf(cause) === 'EADDRINUSE'
          ? new MusterError('port_in_use', `The ${what} port ${port} on ${host} is taken by another process`, { cause })
          : new MusterError('config_invalid', `Cannot listen for ${what} on ${host}:${port}: ${cause.message}`, {
              cause,
            }),
      );
    };
    server.once('error', onError);
    server.listen({ host, port }, () => {
      server.off('error', onError);
      const address = server.address();
      bound(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
