import { type IncomingMessage, request } from 'node:http';
import type { z } from 'zod';
import { MusterError } from '../../../protocol/errors.js';
import { type Call, nonsense, parseJson, toRefusal, toUnanswered } from './failure.js';

/** A list of some thousand containers; whoever sends more is no engine that we could work with. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const MAX_REFUSAL_BYTES = 64 * 1024;
/** Reading takes an engine milliseconds; one that works hard gets this long. */
const ANSWER_MS = 5_000;

/** How a stream is read. `take` gives false when it has enough; `idleMs` bounds how long nothing may come. */
export type Reading = Readonly<{
  signal: AbortSignal;
  opened?: () => void;
  take: (bytes: Buffer) => boolean;
  idleMs?: number;
}>;

/**
 * A container engine that speaks the Docker Engine API on a Unix socket. Paths have no version in them: a Docker of today
 * refuses the versions that a Podman or a Debian of yesterday speaks.
 *
 * Every call throws {MusterError} engine_unavailable, engine_permission_denied, engine_timeout, engine_answer_invalid,
 * engine_refused, engine_version_refused or container_not_found, and the reason of its signal once that has fired.
 */
export type Engine = Readonly<{
  /** The JSON that stands under a path. */
  get: <S extends z.ZodType>(path: string, schema: S, signal: AbortSignal) => Promise<z.infer<S>>;
  /** Has something done within `ms`; `already` when there was nothing to do. */
  post: (path: string, until: Readonly<{ signal: AbortSignal; ms: number }>) => Promise<'done' | 'already'>;
  /** Reads a stream to its end, or until there is enough. */
  read: (path: string, reading: Reading) => Promise<'ended' | 'enough'>;
}>;

/**
 * The engine behind the socket that `socket` names at each call; undefined means that there is none. What is only read has
 * to be there within `answerMs`, and a stream to begin.
 */
export function createEngine(socket: () => string | undefined, { answerMs = ANSWER_MS } = {}): Engine {
  const call = (method: Call['method'], path: string): Call => {
    const place = socket();
    if (place === undefined) {
      throw new MusterError('engine_unavailable', 'No container engine has a socket on this node.');
    }
    return { socket: place, method, path };
  };
  return {
    async get(path, schema, signal) {
      const asked = call('GET', path);
      return limited({ signal, ms: answerMs }, async ({ stop }) => {
        const answer = await send(asked, stop);
        if (answer.statusCode !== 200) throw await refusalOf(answer, asked);
        if (!/^application\/json\b/.test(answer.headers['content-type'] ?? '')) throw nonsense('it sends no JSON');
        const parsed = schema.safeParse(parseJson(await textOf(answer, MAX_ANSWER_BYTES)));
        if (!parsed.success) throw nonsense('it sends other members than an engine does');
        return parsed.data;
      });
    },
    async post(path, until) {
      const asked = call('POST', path);
      return limited(until, async ({ stop }) => {
        const answer = await send(asked, stop);
        if (answer.statusCode === 304) return 'already';
        if (answer.statusCode !== 204 && answer.statusCode !== 200) throw await refusalOf(answer, asked);
        return 'done';
      });
    },
    async read(path, { signal, opened, take, idleMs }) {
      const asked = call('GET', path);
      return limited({ signal, ms: answerMs }, async ({ stop, extend }) => {
        const answer = await send(asked, stop);
        if (answer.statusCode !== 200) throw await refusalOf(answer, asked);
        extend(idleMs);
        opened?.();
        for await (const bytes of partsOf(answer)) {
          extend(idleMs);
          if (!take(bytes)) return 'enough';
        }
        return 'ended';
      });
    },
  };
}

type Limits = Readonly<{
  stop: AbortSignal;
  /** Counts anew from now, and so long; without end when nothing is given. */
  extend: (ms: number | undefined) => void;
}>;

/**
 * Gives the work so long, and closes its connection in any case.
 * @throws {MusterError} engine_timeout
 */
async function limited<T>(
  { signal, ms }: { signal: AbortSignal; ms: number },
  work: (limits: Limits) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const stop = new AbortController();
  const onAbort = (): void => stop.abort();
  let late: MusterError | undefined;
  let timer: NodeJS.Timeout | undefined;
  const extend = (nextMs: number | undefined): void => {
    clearTimeout(timer);
    if (nextMs === undefined) return;
    timer = setTimeout(() => {
      late = new MusterError('engine_timeout', `The container engine gave no answer within ${nextMs / 1000} s.`);
      stop.abort();
    }, nextMs);
  };
  extend(ms);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await work({ stop: stop.signal, extend });
  } catch (error) {
    signal.throwIfAborted();
    throw late ?? error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    stop.abort();
  }
}

/** Sends one request on a connection of its own; gives the head of its answer. */
function send(call: Call, stop: AbortSignal): Promise<IncomingMessage> {
  const { socket, method, path } = call;
  return new Promise((resolve, reject) => {
    const asked = request({
      ...{ socketPath: socket, method, path, agent: false, signal: stop },
      headers: { host: 'engine', accept: 'application/json', ...(method === 'POST' ? { 'content-length': 0 } : {}) },
    });
    // Not once: a connection that breaks after the head tells the request as well, and nobody else listens to that.
    asked.on('error', (error) => {
      try {
        reject(stop.aborted ? error : toUnanswered(error, call));
      } catch (unforeseen) {
        reject(unforeseen);
      }
    });
    asked.once('response', (answer) => {
      answer.on('error', () => undefined); // whoever reads it is told; when nobody does any more, nobody needs to be
      resolve(answer);
    });
    // An answer that asks for another protocol ends the connection, and nothing else tells of it.
    asked.once('close', () => reject(nonsense('it ends before it has answered')));
    asked.end();
  });
}

async function refusalOf(answer: IncomingMessage, call: Call): Promise<MusterError> {
  return toRefusal(answer.statusCode ?? 0, await textOf(answer, MAX_REFUSAL_BYTES), call);
}

async function textOf(answer: IncomingMessage, maxBytes: number): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of partsOf(answer)) {
    bytes += part.length;
    if (bytes > maxBytes) throw nonsense(`it sends more than ${maxBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** What comes of a body. @throws {MusterError} engine_answer_invalid when it ends before it is whole */
async function* partsOf(answer: IncomingMessage): AsyncGenerator<Buffer> {
  try {
    for await (const part of answer) if (Buffer.isBuffer(part)) yield part;
  } catch (error) {
    throw nonsense('it ends in the middle of its answer', error);
  }
}
