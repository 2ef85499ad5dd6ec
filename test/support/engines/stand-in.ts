import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { TestScope } from '../broker.js';
import { temporaryDirectory } from '../temporary-directory.js';
import type { EngineTarget, WantedContainer } from './target.js';

/** Answers a request in place of the engine. */
export type Answerer = (request: IncomingMessage, response: ServerResponse) => void;

/** An engine of a few lines on a real socket, which answers as Docker does, or as a test wants. */
export type StandInEngine = EngineTarget &
  Readonly<{
    /** `METHOD path?query` of all that it was asked. */
    asked: readonly string[];
    /** From now on requests that begin so (`GET /containers/json`) are answered like this; as usual without an answerer. */
    answer: (start: string, answerer?: Answerer) => void;
    /** Tells everybody who listens to the events. */
    emit: (event: string) => void;
    listeners: () => number;
    ids: () => readonly string[];
    /** It comes back on the same socket with the same containers. */
    start: () => Promise<void>;
  }>;

type Kept = WantedContainer & { id: string; status: string; exitCode: number; startedAt: string; finishedAt: string };

const NEVER = '0001-01-01T00:00:00Z';
const IMAGE = 'bb:latest';

/** Starts one that ends with the test, on this socket when one is given. */
export async function startStandInEngine(
  t: TestScope,
  socket = join(temporaryDirectory(t), 'engine.sock'),
): Promise<StandInEngine> {
  const kept = new Map<string, Kept>();
  const asked: string[] = [];
  const answerers = new Map<string, Answerer>();
  const listening = new Set<ServerResponse>();
  let server: Server | undefined;
  let moments = 0;
  const now = (): string => new Date(1_700_000_000_000 + ++moments).toISOString();

  const emit = (event: string): void => {
    for (const response of listening) response.write(event);
  };
  const happened = (id: string, action: string): void =>
    emit(`${JSON.stringify({ Type: 'container', Action: action, status: action, Actor: { ID: id } })}\n`);
  const serve = (request: IncomingMessage, response: ServerResponse) => {
    const call = `${request.method} ${request.url}`;
    asked.push(call);
    const special = [...answerers].find(([start]) => call.startsWith(start))?.[1];
    if (special !== undefined) return special(request, response);
    if (call.startsWith('GET /events')) return listen(response);
    answerUsually(call, response, { kept, happened, now });
  };
  const listen = (response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
    listening.add(response);
    response.once('close', () => listening.delete(response));
  };
  const start = async (): Promise<void> => {
    server = createServer(serve);
    server.listen(socket);
    await once(server, 'listening');
  };
  const stop = async (): Promise<void> => {
    const ending = server;
    server = undefined;
    if (ending === undefined) return;
    ending.closeAllConnections();
    ending.close();
    await once(ending, 'close');
    rmSync(socket, { force: true });
  };
  await start();
  t.after(stop);
  return {
    ...{ socket, asked, emit, start, stop },
    listeners: () => listening.size,
    ids: () => [...kept.keys()],
    answer(prefix, answerer) {
      if (answerer === undefined) answerers.delete(prefix);
      else answerers.set(prefix, answerer);
    },
    async create(wanted) {
      const id = randomBytes(32).toString('hex');
      kept.set(id, { ...wanted, id, status: 'created', exitCode: 0, startedAt: NEVER, finishedAt: NEVER });
      happened(id, 'create');
      return id;
    },
    async remove(id) {
      kept.delete(id);
      happened(id, 'destroy');
    },
  };
}

/** Sends JSON as an engine does. */
export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

/** A frame of a log, with the stream that its first byte names. */
export function toFrame(stream: number, text: string, lengthBytes = Buffer.byteLength(text)): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(lengthBytes, 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

type World = Readonly<{
  kept: Map<string, Kept>;
  happened: (id: string, action: string) => void;
  /** No two moments are the same. */
  now: () => string;
}>;

function answerUsually(call: string, response: ServerResponse, world: World) {
  const [, method, path = '', query = ''] = /^(\S+) ([^?]*)\??(.*)$/.exec(call) ?? [];
  const parameters = new URLSearchParams(query);
  if (path === '/containers/json') {
    const all = [...world.kept.values()].filter(({ status }) => parameters.has('all') || status === 'running');
    return sendJson(response, 200, all.map(toListed));
  }
  const [, reference = '', verb = ''] = /^\/containers\/([^/]+)\/(\w+)$/.exec(path) ?? [];
  const container = [...world.kept.values()].find(
    ({ id, name }) => id === reference || name === reference || id.startsWith(reference),
  );
  if (container === undefined) return sendJson(response, 404, { message: `No such container: ${reference}` });
  if (method === 'GET' && verb === 'json') return sendJson(response, 200, toInspected(container));
  if (method === 'GET' && verb === 'logs') return sendLogs(response, container, parameters);
  if (method === 'POST') return act(verb, container, { response, world });
  sendJson(response, 404, { message: 'page not found' });
}

function act(verb: string, container: Kept, { response, world }: { response: ServerResponse; world: World }) {
  const isRunning = container.status === 'running';
  if (isRunning === (verb === 'start') && verb !== 'restart') return response.writeHead(304).end();
  if (verb !== 'start' && isRunning) {
    Object.assign(container, { status: 'exited', exitCode: container.isStubborn ? 137 : 0, finishedAt: world.now() });
    world.happened(container.id, 'die');
  }
  if (verb !== 'stop') {
    Object.assign(container, { status: 'running', startedAt: world.now() });
    world.happened(container.id, 'start');
    if (container.endsWith !== undefined) {
      Object.assign(container, { status: 'exited', exitCode: container.endsWith, finishedAt: world.now() });
      world.happened(container.id, 'die');
    }
  }
  return response.writeHead(204).end();
}

function sendLogs(response: ServerResponse, { says = [], tty }: Kept, parameters: URLSearchParams): void {
  const isAhead = Number(parameters.get('since') ?? 0) * 1000 > Date.now();
  const newest = says.slice(Math.max(0, says.length - Number(parameters.get('tail') ?? says.length)));
  const lines = isAhead ? [] : newest;
  const time = parameters.has('timestamps') ? '2026-01-31T12:00:00.000000000Z ' : '';
  response.writeHead(200, { 'content-type': 'application/vnd.docker.raw-stream' });
  for (const { stream, text } of lines) response.write(tty ? text : toFrame(stream === 'stderr' ? 2 : 1, time + text));
  if (parameters.has('follow')) response.flushHeaders();
  else response.end();
}

function toListed({ id, name, status, labels = {} }: Kept): unknown {
  return {
    ...{ Id: id, Names: [`/${name}`], Image: IMAGE, ImageID: `sha256:${'0'.repeat(64)}`, State: status },
    ...{ Status: `${status} for a while`, Created: 1_700_000_000, Labels: labels, Ports: [] },
  };
}

function toInspected({ id, name, status, exitCode, startedAt, finishedAt, ...rest }: Kept): unknown {
  const { env = [], labels = {}, tty = false } = rest;
  return {
    ...{ Id: id, Name: `/${name}`, Created: '2026-01-31T12:00:00Z', Image: `sha256:${'0'.repeat(64)}` },
    RestartCount: 0,
    State: {
      Status: status,
      ExitCode: exitCode,
      StartedAt: startedAt,
      FinishedAt: finishedAt,
      OOMKilled: false,
      Error: '',
    },
    Config: { Image: IMAGE, Tty: tty, Env: env, Labels: labels },
    HostConfig: { RestartPolicy: { Name: 'no', MaximumRetryCount: 0 } },
    Mounts: [],
    NetworkSettings: { Ports: {}, Networks: { none: {} } },
  };
}
