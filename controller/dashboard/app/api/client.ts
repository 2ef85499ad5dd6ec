import type { Problem } from '../../../http/schemas.js';

/** What the controller refused, in its words; code `unreachable` when it was not there to answer. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly code: string;
  /** What to do; empty when nobody knows. */
  readonly next: string;

  constructor({ code, detail, next }: Pick<Problem, 'code' | 'detail' | 'next'>) {
    super(detail);
    this.code = code;
    this.next = next;
  }
}

/** Whether the controller knows of no session. */
export function isSignedOut(error: unknown): boolean {
  return error instanceof Failure && error.code === 'unauthenticated';
}

export type Ask = Readonly<{
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
  /** How long the answer may take; 30 s when absent. */
  timeoutMs?: number;
}>;

/** Longer than the longest wait that is asked for in passing. */
const TIMEOUT_MS = 30_000;

/** The address of a path of the API, also where the page is served below a prefix. */
export function apiUrl(path: string): string {
  return new URL(`api/v1${path}`, document.baseURI).href;
}

/**
 * Asks the API with the session's cookie and gives the answer, undefined when it has no body.
 * @throws {Failure}
 */
export async function call<T>(method: string, path: string, ask: Ask = {}): Promise<T> {
  return (await callTimed<T>(method, path, ask)).answer;
}

/** The same, with how far the controller's clock is ahead of this one, in ms. @throws {Failure} */
export async function callTimed<T>(
  method: string,
  path: string,
  { headers, ...ask }: Ask = {},
): Promise<Readonly<{ answer: T; aheadMs: number }>> {
  const response = await send(method, path, { ...ask, headers: { accept: 'application/json', ...headers } });
  const aheadMs = aheadOf(response); // before its body, which may take its time
  const text = await reach(response.text(), ask.signal);
  return { answer: text === '' ? undefined : JSON.parse(text), aheadMs };
}

/** Reads what is no JSON: its octets, and the headers that came with them. @throws {Failure} */
export async function callForBytes(
  method: 'GET' | 'HEAD',
  path: string,
  ask: Pick<Ask, 'signal'> = {},
): Promise<Readonly<{ bytes: Uint8Array; headers: Headers }>> {
  const response = await send(method, path, ask);
  return { bytes: new Uint8Array(await reach(response.arrayBuffer(), ask.signal)), headers: response.headers };
}

/** The answer, unless it is a refusal. @throws {Failure} */
async function send(
  method: string,
  path: string,
  { body, headers, signal, timeoutMs = TIMEOUT_MS }: Ask,
): Promise<Response> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const asked = fetch(apiUrl(path), {
    method,
    headers: { ...(body === undefined ? {} : JSON_TYPE), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
  });
  const response = await reach(asked, signal);
  if (!response.ok) throw toFailure(response, await reach(response.text(), signal));
  return response;
}

/** What comes over the network, head or body, unless the connection or the patience ends first. @throws {Failure} */
function reach<T>(coming: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return coming.catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw new Failure({ code: 'unreachable', detail: 'The controller does not answer', next: 'Look whether it runs' });
  });
}

const JSON_TYPE = { 'content-type': 'application/json' };

function toFailure({ status, statusText }: Response, text: string): Failure {
  const { code = `http_${status}`, detail = statusText, next = '', errors } = parseProblem(text);
  return new Failure({ code, detail: errors?.[0] === undefined ? detail : inWords(errors[0]), next });
}

function parseProblem(text: string): Partial<Problem> {
  try {
    return JSON.parse(text);
  } catch {
    return {}; // something between us and the controller answered
  }
}

function inWords({ pointer, detail }: { pointer: string; detail: string }): string {
  return `${pointer.split('/').slice(1).join('.')} ${detail}`.trim();
}

/** Less than what `Date` can tell is no difference. */
const CLOCK_STEP_MS = 2_000;

function aheadOf({ headers }: Response): number {
  const ms = Date.parse(headers.get('date') ?? '') - Date.now();
  return Math.abs(ms) > CLOCK_STEP_MS ? ms : 0;
}
