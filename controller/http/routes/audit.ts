import { MusterError } from '../../../protocol/errors.js';
import { VerifyReport } from '../../verify/findings.js';
import { AuditQuery, AuditView, VerifyQuery } from '../audit-schemas.js';
import { whenGone } from '../hang-up.js';
import { pageOf } from '../schemas.js';
import { API, type App, FAILURE, principalOf, type RouteDeps, toPage } from './route.js';

/** Who did what, and whether the records still say so. */
export function auditRoutes(app: App, { services: { org, audit }, stopping }: RouteDeps): void {
  app.route({
    method: 'GET',
    url: `${API}/audit`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Read the audit trail, newest first',
      description:
        'With filters a page may hold fewer items than `limit`, also none, and not be the last: go on until `next_cursor` is null.',
      tags: ['audit'],
      querystring: AuditQuery,
      response: { 200: pageOf(AuditView), ...FAILURE },
    },
    handler: async (request) => toPage(await audit.list(principalOf(request).org, request.query)),
  });

  app.route({
    method: 'GET',
    url: `${API}/verify`,
    config: { rule: 'admin' },
    schema: {
      summary: 'Hold the records against the promises',
      description:
        'Walks the audit trail to its signed end, checks every stored result against the key of its node and the request that was sent, every state against what is stored, and users, tokens, keys of nodes and policies against the row of who made them. Takes about a second for 5,000 results; one at a time.',
      tags: ['audit'],
      querystring: VerifyQuery,
      response: { 200: VerifyReport, ...FAILURE },
    },
    handler: async (request, reply) => {
      if (principalOf(request).org !== org) throw new MusterError('not_found', 'The store is of another org');
      const { seq, hash } = request.query;
      if ((seq === undefined) !== (hash === undefined)) {
        throw new MusterError('invalid_request', 'seq and hash go together');
      }
      const kept = seq === undefined || hash === undefined ? undefined : { seq, hash };
      return audit.verify({ kept, signal: whenGone(reply, stopping) });
    },
  });
}
