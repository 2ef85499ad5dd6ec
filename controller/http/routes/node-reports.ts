import { z } from 'zod';
import { parseDuration } from '../../../protocol/durations.js';
import { MusterError } from '../../../protocol/errors.js';
import { Id } from '../../../protocol/ids.js';
import { toTime } from '../../../runtime/clock.js';
import type { PolledAck } from '../../polling/acks.js';
import { AckExecution, AnnounceCapabilities, ReportExecution } from '../polling-schemas.js';
import { type App, callerOf, FAILURE, type RouteDeps } from './route.js';

const NODE = '/v1/nodes/:node';
const ExecutionParams = z.strictObject({ node: Id, id: z.string().min(1).max(160) });
const DONE = z.undefined().describe('Taken, and on disk');

/** What a node without a key says over HTTP, in the words of P-91…P-93. */
export function nodeReportRoutes(app: App, deps: RouteDeps): void {
  ackRoute(app, deps);
  resultRoute(app, deps);
  capabilitiesRoute(app, deps);
}

function ackRoute(app: App, { services: { polling } }: RouteDeps): void {
  app.route({
    method: 'POST',
    url: `${NODE}/executions/:id/ack`,
    config: { rule: 'node' },
    schema: {
      summary: 'Accept an action before it starts, or refuse it',
      description:
        'The id is an execution id, or the action_id that the node fetched. 204 to `accepted` is the leave to start: 409 and 410 say that it was cancelled, has ended or is past its time.',
      tags: ['polling'],
      params: ExecutionParams,
      body: AckExecution,
      response: { 204: DONE, ...FAILURE },
    },
    handler: async (request, reply) => {
      const { node, id } = request.params;
      const { execution_id, reason } = request.body;
      const caller = callerOf(request, node);
      refuseOther(id, execution_id);
      const ack: PolledAck = reason === '' ? { status: 'accepted' } : { status: 'rejected', reason };
      await polling.ack(caller, id, ack);
      return reply.code(204).send();
    },
  });
}

function resultRoute(app: App, { services: { polling } }: RouteDeps): void {
  app.route({
    method: 'POST',
    url: `${NODE}/executions/:id/result`,
    config: { rule: 'node' },
    schema: {
      summary: 'Say how an action ended',
      description: 'The first result stays; the same again is answered the same, another one with 409.',
      tags: ['polling'],
      params: ExecutionParams,
      body: ReportExecution,
      response: { 204: DONE, ...FAILURE },
    },
    handler: async (request, reply) => {
      const { node, id } = request.params;
      const { execution_id, duration, finished_at, ...outcome } = request.body;
      const caller = callerOf(request, node);
      refuseOther(id, execution_id);
      const durationMs = parseDuration(duration);
      if (durationMs === undefined || durationMs < 0) {
        throw new MusterError('invalid_request', 'duration: must be a duration, such as 1.2s');
      }
      const times = { duration, duration_ms: durationMs, finished_at: toTime(Date.parse(finished_at)) };
      await polling.report(caller, id, { ...outcome, ...times });
      return reply.code(204).send();
    },
  });
}

function capabilitiesRoute(app: App, { services: { polling } }: RouteDeps): void {
  app.route({
    method: 'PUT',
    url: `${NODE}/capabilities`,
    config: { rule: 'node' },
    schema: {
      summary: 'Say what the node offers from now on',
      tags: ['polling'],
      params: z.strictObject({ node: Id }),
      body: AnnounceCapabilities,
      response: { 204: DONE, ...FAILURE },
    },
    handler: async (request, reply) => {
      await polling.announce(callerOf(request, request.params.node), request.body);
      return reply.code(204).send();
    },
  });
}

/** @throws {MusterError} invalid_request */
function refuseOther(named: string, execution_id: string): void {
  if (named === execution_id) return;
  throw new MusterError('invalid_request', 'execution_id: must be the one that the address names');
}
