import { MusterError } from '../../../protocol/errors.js';
import type { Principal } from '../../services.js';
import { SuspensionView } from '../suspension-schemas.js';
import { API, type App, FAILURE, principalOf, type RouteDeps } from './route.js';

/** Whether a controller that was restored from an older copy starts anything, and the word of an owner that it may. */
export function suspensionRoutes(app: App, { services: { org, suspension } }: RouteDeps): void {
  app.route({
    method: 'GET',
    url: `${API}/suspension`,
    config: { rule: 'viewer' },
    schema: {
      summary: 'Whether the controller starts anything',
      tags: ['process'],
      response: { 200: SuspensionView, ...FAILURE },
    },
    handler: async (request) => {
      refuseOthers(principalOf(request), org);
      return suspension.read();
    },
  });

  app.route({
    method: 'POST',
    url: `${API}/resume`,
    config: { rule: 'owner' },
    schema: {
      summary: 'Let a controller start work again that was restored from an older copy',
      description:
        'What is open is offered again at once: cancel first what must not run. Answers with what has ended by it; 409 when nothing was suspended.',
      tags: ['process'],
      response: { 200: SuspensionView, ...FAILURE },
    },
    handler: async (request) => {
      const principal = principalOf(request);
      refuseOthers(principal, org);
      return suspension.resume(principal);
    },
  });
}

/** @throws {MusterError} not_found */
function refuseOthers({ org }: Principal, own: string): void {
  if (org !== own) throw new MusterError('not_found', 'The store is of another org');
}
