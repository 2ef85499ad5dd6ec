import { z } from 'zod';
import { MusterError } from '../../../protocol/errors.js';
import { errnoOf } from '../../../runtime/errno.js';
import { escapeText } from '../../../runtime/terminal-text.js';

const MAX_WORDS = 300;

/** What Docker and Podman say of a refusal. */
const Refusal = z.object({ message: z.string() });

/** How an engine says that it does not speak our version of its interface. */
const WRONG_VERSION = /\b(client|api) version\b.*\b(too (old|new)|not supported|minimum|maximum)/i;

/** What one call is about, for the sentence that tells of its failure. */
export type Call = Readonly<{ socket: string; method: 'GET' | 'POST'; path: string }>;

/**
 * Why a call got no answer at all.
 * @throws {unknown} what is no failure of a connection
 */
export function toUnanswered(error: unknown, { socket }: Call): MusterError {
  const errno = errnoOf(error);
  if (errno === undefined) throw error;
  const cause = { cause: error };
  if (errno === 'EACCES' || errno === 'EPERM') {
    return new MusterError('engine_permission_denied', `The agent may not use ${socket} (${errno}).`, cause);
  }
  if (errno.startsWith('HPE_')) return nonsense(`it does not speak HTTP (${errno})`, error);
  return new MusterError('engine_unavailable', `No container engine answers on ${socket} (${errno}).`, cause);
}

/** What an engine that does not do what it is asked for says. */
export function toRefusal(status: number, body: string, { method, path }: Call): MusterError {
  const words = wordsOf(body);
  const said = words === '' ? `it answered ${status} to ${method} ${path.split('?', 1)[0]}` : `${words} (${status})`;
  if (status === 401 || status === 403) {
    return new MusterError('engine_permission_denied', `The container engine does not allow it: ${said}.`);
  }
  // A start is answered 404 as well when a network that the container wants is gone.
  if (status === 404 && (method === 'GET' || /no such container/i.test(words))) {
    return new MusterError('container_not_found', `The container engine knows no such container: ${said}.`);
  }
  if (status === 400 && WRONG_VERSION.test(words)) {
    return new MusterError('engine_version_refused', `The container engine is of another time: ${said}.`);
  }
  if (status >= 400 && status <= 599)
    return new MusterError('engine_refused', `The container engine refused: ${said}.`);
  return nonsense(`it answered ${status}`);
}

/** What cannot be understood of an answer. */
export function nonsense(why: string, cause?: unknown): MusterError {
  return new MusterError('engine_answer_invalid', `What answers on the socket is no container engine: ${why}.`, {
    cause,
  });
}

/** The first line of what it says, if it says it the way that engines do. */
function wordsOf(body: string): string {
  const parsed = Refusal.safeParse(parseJson(body));
  if (!parsed.success) return '';
  const [line = ''] = parsed.data.message.trim().split('\n', 1);
  return escapeText(line.slice(0, MAX_WORDS)).replace(/\.$/, '');
}

/** The value of JSON; undefined when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no JSON, or nested deeper than the stack
  }
}
