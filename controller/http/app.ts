import { randomUUID } from 'node:crypto';
import fastifySwagger from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';
import fastify, {
  type FastifyBaseLogger,
  type FastifyReply,
  type FastifyRequest,
  LogController,
  type RouteOptions,
} from 'fastify';
import { serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { sha256Hex } from '../../protocol/envelope.js';
import { MusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { Services } from '../services.js';
import { credentialOf } from './credentials.js';
import { type Dashboard, NO_DASHBOARD } from './dashboard.js';
import { DOCS_PAGE } from './docs-page.js';
import { createEventStreams, type StreamLimits } from './event-streams.js';
import { parseJsonBody } from './json-body.js';
import { maskAnswer } from './mask-answer.js';
import { createMethodTable, type MethodTable } from './methods.js';
import { openApiOptions } from './openapi.js';
import { sendFailure } from './problems.js';
import { ROUTES } from './routes/list.js';
import type { App, RouteDeps } from './routes/route.js';
import { admit, admitNode, type Rule } from './rules.js';
import { SECURITY_HEADERS } from './transport.js';
import { compileValidator } from './validation.js';
import { createWebSockets, type WebSockets } from './websocket.js';

const BODY_LIMIT_BYTES = 256 * 1024;

/** A route and who may call it, for the check that none is without a rule. */
export type RouteRule = Readonly<{ methods: readonly string[]; url: string; rule: Rule | undefined }>;

/** The REST API, ready to listen, and the rule of each of its routes. */
export async function createApp({
  services,
  stopping,
  streamLimits = {},
  dashboard = NO_DASHBOARD,
  log,
  clock,
}: {
  services: Services;
  stopping: AbortSignal;
  streamLimits?: Partial<StreamLimits>;
  /** The page at `/`; a sentence is there when absent. */
  dashboard?: Dashboard;
  log: Logger;
  clock: Clock;
}): Promise<Readonly<{ app: App; rules: readonly RouteRule[] }>> {
  const app = createInstance(log);
  const methods = createMethodTable();
  const routes: RouteOptions[] = [];
  app.addHook('onRoute', (route) => {
    methods.add(route.url, [route.method].flat());
    routes.push(route);
  });
  addHooks(app, { services, log, clock });
  addFailures(app, methods);
  await addDocumentation(app);
  const streams = createEventStreams({ limits: streamLimits, stopping });
  const webSockets = createWebSockets();
  addRoutes(app, { services, stopping, streams, webSockets, dashboard, clock });
  addUpgrades(app, webSockets);
  await app.ready();
  return {
    app,
    rules: routes.map(({ method, url, config }) => ({ methods: [method].flat(), url, rule: config?.rule })),
  };
}

function createInstance(log: Logger): App {
  // Of the framework's own lines only the warnings: what is worth a line below that is logged by the hooks here.
  const loggerInstance: FastifyBaseLogger = log.child({}, { level: log.isLevelEnabled('warn') ? 'warn' : log.level });
  return fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    bodyLimit: BODY_LIMIT_BYTES,
    requestIdHeader: false,
    genReqId: () => randomUUID(),
    return503OnClosing: false,
    routerOptions: { maxParamLength: 160 },
    frameworkErrors: (error, request, reply) => {
      addCommonHeaders(request, reply); // these come before the first hook
      sendFailure(error, request, reply);
    },
  }).withTypeProvider<ZodTypeProvider>();
}

/** From the first byte to the handler: headers that every answer has, who asks, the body; at the end one log line. */
function addHooks(app: App, { services, log, clock }: { services: Services; log: Logger; clock: Clock }): void {
  app.setValidatorCompiler(compileValidator);
  app.setSerializerCompiler(serializerCompiler);
  app.decorateRequest('principal', undefined);
  app.decorateRequest('caller', undefined);
  app.decorateRequest('credential', undefined);
  app.decorateRequest('bodySha256', '');

  const startedMs = new WeakMap<object, number>();
  app.addHook('onRequest', async (request, reply) => {
    startedMs.set(request, clock.monotonicMs());
    addCommonHeaders(request, reply);
    if (request.is404) return;
    const { rule } = request.routeOptions.config;
    if (rule === 'node') {
      request.caller = await admitNode(services, request.headers.authorization);
    } else if (rule !== 'public') {
      request.credential = credentialOf(request, services.sessions);
      request.principal = await admit(services, { rule, credential: request.credential });
    }
  });
  // Of what was asked the store has the original, and a value may have been registered after it was stored. A node is
  // given the original: it has to do what was approved.
  app.addHook('onSend', async (request, _reply, payload) => {
    const { rule, isVerbatim = rule === 'node' } = request.routeOptions.config;
    return isVerbatim ? payload : maskAnswer(services.mask, payload);
  });
  app.addHook('onResponse', async (request, reply) => {
    const durationMs = Math.round(clock.monotonicMs() - (startedMs.get(request) ?? clock.monotonicMs()));
    const { method, id: requestId } = request;
    log.debug(
      { requestId, method, route: request.routeOptions.url, status: reply.statusCode, durationMs },
      'request answered',
    );
  });

  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) => {
    request.bodySha256 = sha256Hex(body);
    return parseJsonBody(body);
  });
}

function addCommonHeaders({ id }: FastifyRequest, reply: FastifyReply): void {
  reply.headers({ ...SECURITY_HEADERS, 'x-request-id': id });
}

function addFailures(app: App, methods: MethodTable): void {
  app.setErrorHandler((error, request, reply) => sendFailure(error, request, reply));
  app.setNotFoundHandler((request, reply) => {
    const allowed = methods.of(request.url.split('?', 1)[0] ?? '');
    if (allowed.length === 0) throw new MusterError('not_found', 'There is nothing under this address');
    reply.header('allow', allowed.join(', '));
    throw new MusterError('method_not_allowed', `This address takes ${allowed.join(', ')}`);
  });
}

/** `/docs` tries the API in a browser, `/openapi.json` describes it; both say nothing that the source does not. */
async function addDocumentation(app: App): Promise<void> {
  await app.register(fastifySwagger, openApiOptions());
  await app.register(async (docs) => {
    docs.addHook('onRoute', (route) => {
      route.config = { ...route.config, rule: 'public' };
    });
    await docs.register(fastifySwaggerUi, DOCS_PAGE);
  });
  app.route({
    method: 'GET',
    url: '/openapi.json',
    config: { rule: 'public' },
    schema: { hide: true, response: { 200: z.unknown() } },
    handler: async () => app.swagger(),
  });
}

/**
 * Requests for WebSocket go through the same hooks as all others, so that one place says who may; a route that knows of
 * none answers as ever, and the connection ends.
 */
function addUpgrades(app: App, webSockets: WebSockets): void {
  app.server.on('upgrade', (request, socket, head) => app.routing(request, webSockets.prepare(request, socket, head)));
}

function addRoutes(app: App, deps: RouteDeps): void {
  for (const add of ROUTES) add(app, deps);
}
