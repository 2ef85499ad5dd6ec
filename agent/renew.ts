import { z } from 'zod';
import { type SigningKey, signEnvelope } from '../protocol/envelope.js';
import { MusterError } from '../protocol/errors.js';
import { Uuid } from '../protocol/ids.js';
import { readBounded } from '../runtime/bounded-answer.js';
import { controllerEndpoint } from './controller-endpoint.js';

const CALL_TIMEOUT_MS = 15_000;
const MAX_ANSWER_BYTES = 16 * 1024;

const Nonce = z.object({ nonce: Uuid });
const Renewed = z.object({ password: z.string().min(1).max(4096) });

/**
 * A new broker password over HTTP, for a node that was away until its old one had expired (wire.md, Enrollment).
 * @throws {MusterError} unavailable, usage (the URL)
 */
export async function renewPassword({
  url,
  org,
  node,
  signing,
  signal,
}: Readonly<{ url: string; org: string; node: string; signing: SigningKey; signal: AbortSignal }>): Promise<string> {
  const { nonce } = await call(controllerEndpoint(url, 'api/v1/nonce'), { schema: Nonce, signal });
  const jws = signEnvelope('muster-renew', JSON.stringify({ v: 1, org, node, nonce }), signing);
  const body = JSON.stringify({ jws });
  return (await call(controllerEndpoint(url, 'api/v1/renew'), { schema: Renewed, signal, body })).password;
}

/** GET, or POST when there is a body. */
async function call<S extends z.ZodType>(
  endpoint: URL,
  { schema, signal, body }: { schema: S; signal: AbortSignal; body?: string },
): Promise<z.infer<S>> {
  try {
    const response = await fetch(endpoint, {
      ...(body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json' }, body }),
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]),
    });
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    const text = await readBounded(response, MAX_ANSWER_BYTES);
    if (text === undefined) throw new Error(`its answer is larger than ${MAX_ANSWER_BYTES} bytes`);
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new MusterError('unavailable', `The controller at ${endpoint.origin} gave no new password`, { cause });
  }
}
