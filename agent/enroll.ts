import { z } from 'zod';
import { openEnvelope, parsePayload, signWithOwnKey } from '../protocol/envelope.js';
import { isMusterError, MusterError } from '../protocol/errors.js';
import { openKeyList } from '../protocol/key-list.js';
import { admitKey } from '../protocol/keys.js';
import { Enrolled, parseEnrollmentToken } from '../protocol/messages/enrollment.js';
import { readBounded } from '../runtime/bounded-answer.js';
import { type Clock, toTime } from '../runtime/clock.js';
import type { KeyPair } from '../runtime/key-file.js';
import type { Logger } from '../runtime/logger.js';
import { VERSION } from '../runtime/version.js';
import { controllerEndpoint } from './controller-endpoint.js';
import type { Identity } from './identity.js';

const CALL_TIMEOUT_MS = 15_000;
const MAX_ANSWER_BYTES = 256 * 1024;
/** A controller that cannot be reached yet is asked again: at first start both may come up together. */
const MAX_ATTEMPTS = 10;
const RETRY_MS = 1_000;
const MAX_PENDING_WAIT_MS = 60_000;

const Accepted = z.object({ jws: z.string().max(MAX_ANSWER_BYTES) });
const Pending = z.object({ status: z.literal('pending'), retry_after: z.number().min(1).max(3600) });
const Refused = z.object({ detail: z.string().max(1024), code: z.string().max(64).optional() });

export type EnrollOptions = Readonly<{
  /** Where the controller listens; https, unless it is on loopback. */
  url: string;
  token: string;
  nodeId: string | undefined;
  key: KeyPair;
  clock: Clock;
  log: Logger;
  /** Fires when the process has to stop. */
  signal: AbortSignal;
}>;

/**
 * Introduces this node to its controller (wire.md, Enrollment) and gives what has to be kept. The same key and token
 * get the same answer, so a lost answer costs nothing.
 * @throws {MusterError} enrollment_failed, unavailable, usage (the token or URL is not one)
 */
export async function enroll(options: EnrollOptions): Promise<Identity> {
  const token = parseEnrollmentToken(options.token);
  if (token === undefined) throw new MusterError('usage', 'The enrollment token is not of the form met_…_…_…');
  const endpoint = controllerEndpoint(options.url, 'api/v1/enroll');
  for (let attempt = 1; ; attempt += 1) {
    const answer = await post(endpoint, options, attempt);
    if (answer.kind === 'enrolled') {
      return { ...believe(answer.jws, { rootThumbprint: token.root, key: options.key }), controller_url: options.url };
    }
    options.log.info({ reason: answer.reason, waitMs: answer.waitMs }, 'not enrolled yet');
    await pause(answer.waitMs, options.signal);
  }
}

type Answer = Readonly<{ kind: 'enrolled'; jws: string } | { kind: 'later'; reason: string; waitMs: number }>;

async function post(
  endpoint: URL,
  { token, nodeId, key, clock, signal }: EnrollOptions,
  attempt: number,
): Promise<Answer> {
  const payload = {
    v: 1,
    token,
    ...(nodeId === undefined ? {} : { node_id: nodeId }),
    agent_version: VERSION,
    issued_at: toTime(clock.nowMs()),
  };
  const body = JSON.stringify({ jws: signWithOwnKey(JSON.stringify(payload), key.signing, key.public) });
  let response: Response;
  let text: string | undefined;
  try {
    response = await fetch(endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]),
    });
    text = await readBounded(response, MAX_ANSWER_BYTES);
  } catch (cause) {
    if (signal.aborted || attempt >= MAX_ATTEMPTS) {
      throw new MusterError('unavailable', `The controller at ${endpoint.origin} cannot be reached`, { cause });
    }
    return { kind: 'later', reason: 'unreachable', waitMs: RETRY_MS };
  }
  const value = text === undefined ? undefined : readJson(text);
  if (response.status === 201) {
    const accepted = Accepted.safeParse(value);
    if (accepted.success) return { kind: 'enrolled', jws: accepted.data.jws };
  }
  const pending = Pending.safeParse(value);
  if (response.status === 202 && pending.success) {
    return { kind: 'later', reason: 'pending', waitMs: Math.min(MAX_PENDING_WAIT_MS, pending.data.retry_after * 1000) };
  }
  if (response.status >= 500 && attempt < MAX_ATTEMPTS)
    return { kind: 'later', reason: 'unavailable', waitMs: RETRY_MS };
  const refused = Refused.safeParse(value);
  const why = refused.success ? refused.data.detail : `it answered ${response.status}`;
  throw new MusterError('enrollment_failed', `The controller at ${endpoint.origin} did not enroll this node: ${why}`);
}

/** Believes an answer only if the root fits the token, the key list holds under the root and the answer under the list. */
function believe(jws: string, { rootThumbprint, key }: { rootThumbprint: string; key: KeyPair }): Identity {
  try {
    // The list that vouches for the signer is inside: its claims count only once the whole chain holds.
    const claimed = parsePayload(Enrolled, Buffer.from(jws.split('.')[1] ?? '', 'base64url'));
    const root = admitKey(claimed.root);
    if (root.kid !== rootThumbprint)
      throw new MusterError('wrong_audience', 'its root key is not the one that the token names');
    const list = openKeyList(claimed.keys, root, claimed.org);
    const { payload } = openEnvelope(jws, {
      typ: 'muster-enrolled',
      maxBytes: MAX_ANSWER_BYTES,
      keyOf: (kid) => list.keys.get(kid),
    });
    const { org, node_id, prefix, keys, broker, enrolled_at, node_key } = parsePayload(Enrolled, payload);
    if (node_key !== key.public.kid) throw new MusterError('wrong_audience', 'it is for another key');
    return { v: 1, org, node: node_id, prefix, root: root.jwk, keys, broker, enrolled_at };
  } catch (cause) {
    if (!isMusterError(cause)) throw cause;
    throw new MusterError('enrollment_failed', `The answer to the enrollment is not to be believed: ${cause.message}`, {
      cause,
    });
  }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((over) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      over();
    }
  });
}
