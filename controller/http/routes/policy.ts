import { z } from 'zod';
import { MusterError } from '../../../protocol/errors.js';
import { PolicyDocument } from '../../policy/document.js';
import { etagOf, isMatch } from '../etags.js';
import { IfMatchHeaders, PolicyVersionNumber, PolicyVersionView, PolicyView } from '../policy-schemas.js';
import { PageQuery, pageOf } from '../schemas.js';
import { API, type App, FAILURE, found, principalOf, type RouteDeps, toPage } from './route.js';

/** What the org has decided about its actions. */
export function policyRoutes(app: App, { services: { policy } }: RouteDeps): void {
  app.route({
    method: 'GET',
    url: `${API}/policy`,
    config: { rule: 'viewer' },
    schema: {
      summary: 'Read the policy in force',
      description: 'Its `ETag` is what `If-Match` wants when it is replaced.',
      tags: ['policy'],
      response: { 200: PolicyView, ...FAILURE },
    },
    handler: async (request, reply) => {
      const view = await policy.read(principalOf(request).org);
      reply.header('etag', etagOf(view.version));
      return view;
    },
  });

  app.route({
    method: 'PUT',
    url: `${API}/policy`,
    config: { rule: 'owner' },
    schema: {
      summary: 'Replace the policy',
      description:
        'In force at once, also for what waits for approval. 412 when it is another by now than `If-Match` names, 428 without that header, 409 when it comes from a file of the controller. What a policy leaves out is as shipped.',
      tags: ['policy'],
      headers: IfMatchHeaders,
      body: PolicyDocument,
      response: { 200: PolicyView, ...FAILURE },
    },
    handler: async (request, reply) => {
      const header = request.headers['if-match'];
      if (header === undefined) {
        throw new MusterError('precondition_required', 'If-Match has to name the policy that this one replaces');
      }
      const isExpected = (version: number): boolean => isMatch(header, version);
      const view = await policy.replace(principalOf(request), request.body, isExpected);
      reply.header('etag', etagOf(view.version));
      return view;
    },
  });

  app.route({
    method: 'GET',
    url: `${API}/policy/versions`,
    config: { rule: 'viewer' },
    schema: {
      summary: 'List the versions of the policy, newest first',
      tags: ['policy'],
      querystring: PageQuery,
      response: { 200: pageOf(PolicyVersionView), ...FAILURE },
    },
    handler: async (request) => toPage(await policy.versions(principalOf(request).org, request.query)),
  });

  app.route({
    method: 'GET',
    url: `${API}/policy/versions/:version`,
    config: { rule: 'viewer' },
    schema: {
      summary: 'Read one version of the policy',
      tags: ['policy'],
      params: z.strictObject({ version: PolicyVersionNumber }),
      response: { 200: PolicyView, ...FAILURE },
    },
    handler: async (request) =>
      found(
        await policy.readVersion(principalOf(request).org, Number(request.params.version)),
        'such version of the policy',
      ),
  });
}
