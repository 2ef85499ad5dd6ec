import type { z } from 'zod';
import { Problem, pageOf } from '../controller/http/schemas.js';
import { ERROR_CODES, type ErrorCode, MusterError } from '../protocol/errors.js';
import { errnoOf } from '../runtime/errno.js';
import { escapeText } from '../runtime/terminal-text.js';
import type { Connection } from './installation.js';

/** An answer has this long to come, on top of the time that the controller was asked to wait. */
const DEADLINE_MS = 15_000;

/** An answer without an end says something every 15 s. */
const SILENCE_MS = 45_000;

const PAGE_SIZE = 200;

/** One call of the REST API. `path` begins below `/api/v1`, or at the root of the controller where `isAtRoot` says so. */
export type Call = Readonly<{
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  isAtRoot?: boolean;
  query?: Readonly<Record<string, string | number | undefined>>;
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  /** Seconds that the controller may hold the answer back (`Prefer: wait`). */
  waitSeconds?: number;
  signal?: AbortSignal;
}>;

/**
 * The REST API of one controller. Every call has a deadline.
 * @throws {MusterError} unavailable, deadline_passed, cancelled (the signal fired), or the code that the controller answers
 */
export type Client = Readonly<{
  url: string;
  call: <S extends z.ZodType>(schema: S, call: Call) => Promise<z.infer<S>>;
  /** The bytes of an answer that is not JSON. */
  bytes: (call: Call) => Promise<Buffer>;
  /** The same as they come, for an answer that has no end; nothing for 45 s is one, too. */
  stream: (call: Call) => AsyncIterable<Uint8Array>;
  /** Every item of a list, page by page; at most `limit` when given. */
  list: <T extends z.ZodType>(item: T, call: Call & { limit?: number }) => Promise<z.infer<T>[]>;
}>;

export function createClient({ url, token }: Connection): Client {
  const root = url.replace(/\/+$/, '');

  function send(call: Call, stop: AbortSignal): Promise<Response> {
    const { method = 'GET', path, isAtRoot = false, query = {}, body, headers, waitSeconds = 0 } = call;
    const address = new URL(`${root}${isAtRoot ? '' : '/api/v1'}${path}`);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) address.searchParams.set(name, String(value));
    }
    return fetch(address, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        prefer: `wait=${waitSeconds}`,
        ...headers,
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: stop,
      redirect: 'error', // the token is for this address and no other
    });
  }

  async function bytes(call: Call): Promise<Buffer> {
    const { waitSeconds = 0, signal } = call;
    const deadline = AbortSignal.timeout(DEADLINE_MS + waitSeconds * 1000);
    try {
      const response = await send(call, signal === undefined ? deadline : AbortSignal.any([deadline, signal]));
      const content = Buffer.from(await response.arrayBuffer());
      if (response.ok) return content;
      throw failureOf(response.status, content, url);
    } catch (error) {
      throw transportFailure(error, { url, isDeadline: deadline.aborted, isCancelled: signal?.aborted === true });
    }
  }

  async function* stream(call: Call): AsyncGenerator<Uint8Array, void> {
    const silence = new AbortController();
    const isCancelled = (): boolean => call.signal?.aborted === true;
    const timer = setTimeout(() => silence.abort(), SILENCE_MS);
    const stop = call.signal === undefined ? silence.signal : AbortSignal.any([silence.signal, call.signal]);
    try {
      const response = await send(call, stop);
      if (!response.ok) throw failureOf(response.status, Buffer.from(await response.arrayBuffer()), url);
      for await (const part of response.body ?? []) {
        timer.refresh();
        yield part;
      }
    } catch (error) {
      throw transportFailure(error, { url, isDeadline: silence.signal.aborted, isCancelled: isCancelled() });
    } finally {
      clearTimeout(timer);
    }
  }

  async function call<S extends z.ZodType>(schema: S, ask: Call): Promise<z.infer<S>> {
    const content = await bytes(ask);
    const parsed = schema.safeParse(content.length === 0 ? undefined : parseJson(content));
    if (parsed.success) return parsed.data;
    throw new MusterError('unavailable', `${url} does not answer as a Muster controller of this release does`);
  }

  return {
    url,
    bytes,
    stream,
    call,
    async list(item, { limit = Number.POSITIVE_INFINITY, ...ask }) {
      const page = pageOf(item);
      const items: z.infer<typeof item>[] = [];
      let cursor: string | undefined;
      do {
        const wanted = Math.min(PAGE_SIZE, limit - items.length);
        const answer = await call(page, { ...ask, query: { ...ask.query, limit: wanted, cursor } });
        items.push(...answer.items);
        cursor = answer.next_cursor ?? undefined;
      } while (cursor !== undefined && items.length < limit);
      return items;
    },
  };
}

/** The failure that the controller told, its words made safe for a terminal. */
function failureOf(status: number, content: Buffer, url: string): MusterError {
  const problem = Problem.safeParse(parseJson(content));
  if (!problem.success) return new MusterError('unavailable', `${url} is not a Muster controller (HTTP ${status})`);
  const { code, detail, errors = [] } = problem.data;
  const lines = [detail, ...errors.slice(1).map((fault) => `  ${fault.detail}`)].map(escapeText);
  if (isErrorCode(code)) return new MusterError(code, lines.join('\n'));
  return new MusterError('internal', `${lines.join('\n')} (${escapeText(code)})`);
}

function transportFailure(
  error: unknown,
  { url, isDeadline, isCancelled }: { url: string; isDeadline: boolean; isCancelled: boolean },
): MusterError {
  if (error instanceof MusterError) return error;
  if (isCancelled) return new MusterError('cancelled', 'Interrupted', { cause: error });
  if (isDeadline) return new MusterError('deadline_passed', `${url} did not answer in time`, { cause: error });
  const why = error instanceof Error ? (errnoOf(error.cause) ?? error.message) : String(error);
  return new MusterError('unavailable', `No controller answers at ${url} (${escapeText(why)})`, { cause: error });
}

function parseJson(content: Buffer): unknown {
  try {
    return JSON.parse(content.toString('utf8'));
  } catch {
    return undefined;
  }
}

function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_CODES, text);
}
