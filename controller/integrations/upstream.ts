import { setTimeout as delay } from 'node:timers/promises';
import { readBounded } from '../../runtime/bounded-answer.js';
import { errnoOf } from '../../runtime/errno.js';
import { VERSION } from '../../runtime/version.js';
import { excerptOf, UpstreamFailure } from './upstream-failure.js';

/** One request to another system, below its base URL. */
export type UpstreamAsk = Readonly<{
  /** GET unless it says otherwise. */
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** As path`…` makes it; empty for the base URL itself. */
  path: string;
  /** What is undefined is left out. */
  query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Sent as JSON. */
  body?: unknown;
  /** True when it changes nothing: then it may be sent a second time. What GET sends does. */
  isSafe?: boolean;
  /** What a success has to answer: without it any JSON, or nothing. */
  answer?: Promised;
}>;

/** `json` is any; nothing only when the status says that there is nothing (204). */
export type Promised = 'object' | 'list' | 'json';

/** Asks another system, with the token in place, and gives the JSON that it answers; null when that is empty. @throws {UpstreamFailure} */
export type Upstream = (ask: UpstreamAsk) => Promise<unknown>;

/** Whom to ask, and until when. */
export type UpstreamTarget = Readonly<{
  /** In what is said of it. */
  name: string;
  baseUrl: string;
  headers: Readonly<Record<string, string>>;
  /** Ends every request. */
  signal: AbortSignal;
  /** Takes secrets out of what is said of it. */
  scrub: (text: string) => string;
}>;

const MAX_ANSWER_BYTES = 1024 * 1024;
/** A system that asks for a longer pause is told of, and not waited for. */
const MAX_PAUSE_SECONDS = 5;
const BUSY: ReadonlySet<number> = new Set([429, 503]);
/** What a gateway says that lost the answer, and where to look for what was done: none says that nothing was. */
const UNCLEAR: ReadonlySet<number> = new Set([303, 502, 504]);
/** Where a connection ends that never was one: nothing was sent. */
const NOT_SENT = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|.*CERT.*)$/;

type Answer = Readonly<{ status: number; text: string | undefined; pauseSeconds: number | undefined }>;

/**
 * Redirects are not followed, answers end at 1 MiB, and one that says `Retry-After` of a few seconds is asked once more,
 * when asking changes nothing.
 */
export function createUpstream(target: UpstreamTarget): Upstream {
  return async (ask) => {
    const first = await send(target, ask);
    const { status, pauseSeconds } = first;
    const isShort = pauseSeconds !== undefined && pauseSeconds <= MAX_PAUSE_SECONDS;
    if (!BUSY.has(status) || !isShort || !isSafe(ask)) return read(target, ask, first);
    await pause(target, pauseSeconds);
    return read(target, ask, await send(target, ask));
  };
}

function isSafe({ method = 'GET', isSafe: said = method === 'GET' }: UpstreamAsk): boolean {
  return said;
}

async function send(target: UpstreamTarget, ask: UpstreamAsk): Promise<Answer> {
  const { method = 'GET', body } = ask;
  try {
    const response = await fetch(addressOf(target, ask), {
      method,
      headers: {
        accept: 'application/json',
        'user-agent': `muster/${VERSION}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...target.headers,
      },
      body: body === undefined ? null : JSON.stringify(body),
      redirect: 'manual', // the token is for this system and no other
      signal: target.signal,
    });
    const text = await readBounded(response, MAX_ANSWER_BYTES);
    return { status: response.status, text, pauseSeconds: pauseOf(response.headers.get('retry-after')) };
  } catch (error) {
    throw transportFailure(target, ask, error);
  }
}

/** Below the base URL, whatever was filled in. */
function addressOf({ name, baseUrl }: UpstreamTarget, { path, query = {} }: UpstreamAsk): URL {
  const base = new URL(`${baseUrl.replace(/\/+$/, '')}/`);
  const address = path === '' ? new URL(baseUrl) : new URL(`${base.href}${path.replace(/^\//, '')}`);
  if (address.origin !== base.origin || !`${address.pathname}/`.startsWith(base.pathname)) {
    throw new UpstreamFailure('integration_failed', `The address lies outside of the base URL of ${name}`);
  }
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined) address.searchParams.append(key, String(value));
  }
  return address;
}

/** Seconds of a `Retry-After` header (RFC 9110, section 10.2.3); a date is not understood. */
function pauseOf(header: string | null): number | undefined {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) : undefined;
}

async function pause({ name, signal }: UpstreamTarget, seconds: number): Promise<void> {
  try {
    await delay(seconds * 1000, undefined, { signal });
  } catch (cause) {
    throw new UpstreamFailure('integration_failed', `${name} was busy until the time was over`, { cause });
  }
}

/** @throws {UpstreamFailure} */
function read({ name, scrub }: UpstreamTarget, ask: UpstreamAsk, { status, text, pauseSeconds }: Answer): unknown {
  const isOk = status >= 200 && status < 300;
  const isKnown = isSafe(ask) || !(isOk || UNCLEAR.has(status));
  const fail = (what: string): UpstreamFailure => failure(`${name} answered ${status}${what}`, isKnown, { status });
  if (text === undefined) throw fail(' with more than 1 MiB');
  if (status >= 300 && status < 400) throw fail(', a redirect, which is not followed');
  if (!isOk) {
    const again = pauseSeconds === undefined ? '' : ` (try again after ${pauseSeconds} s)`;
    const said = excerptOf(text, scrub);
    throw fail(`${said === '' ? '' : `: ${said}`}${again}`);
  }
  const isEmpty = text.trim() === '';
  const value = isEmpty ? null : parseJson(text);
  if (value === undefined) throw fail(' with what is not JSON');
  const { answer } = ask;
  const isKept = answer === undefined || (answer === 'json' ? !isEmpty || status === 204 : isOf(answer, value));
  if (isKept) return value;
  throw fail(isEmpty ? ' with nothing' : ` with what is no ${answer}`);
}

/** Undefined for what is not JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isOf(kind: 'object' | 'list', value: unknown): boolean {
  return typeof value === 'object' && value !== null && Array.isArray(value) === (kind === 'list');
}

function transportFailure({ name, signal }: UpstreamTarget, ask: UpstreamAsk, error: unknown): UpstreamFailure {
  if (error instanceof UpstreamFailure) return error;
  const errno = error instanceof Error ? (errnoOf(error.cause) ?? errnoOf(error)) : undefined;
  const what = signal.aborted ? 'did not answer in time' : `cannot be reached (${errno ?? 'the connection ended'})`;
  const isKnown = isSafe(ask) || (!signal.aborted && NOT_SENT.test(errno ?? ''));
  return failure(`${name} ${what}`, isKnown, { cause: error });
}

/** Whether what changes something was done is not known once it was sent and not answered clearly. */
export function failure(
  detail: string,
  isKnown: boolean,
  about: Readonly<{ status?: number; cause?: unknown }> = {},
): UpstreamFailure {
  if (isKnown) return new UpstreamFailure('integration_failed', detail, about);
  return new UpstreamFailure('outcome_unknown', `${detail}: whether it was done is not known`, about);
}
