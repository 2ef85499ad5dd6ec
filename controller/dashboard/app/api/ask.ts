import type { CreateInvocation, InvocationAnswer, InvocationPreview } from '../../../http/schemas.js';
import { call } from './client.js';

/** What is asked of nodes; the rest of its fields have their defaults. */
export type Ask = Pick<CreateInvocation, 'action' | 'target'> & Partial<CreateInvocation>;

/**
 * Asks, and does not wait for the end. With the same key it is the same ask, however often it is sent.
 * @throws {Failure}
 */
export async function askOnce(body: Ask, key: string = crypto.randomUUID()): Promise<InvocationAnswer> {
  return call('POST', '/invocations', { body, headers: { 'idempotency-key': key, prefer: 'wait=0' } });
}

/** What an ask would come to. @throws {Failure} */
export function previewAsk(body: Ask): Promise<InvocationPreview> {
  return call('POST', '/invocations/preview', { body });
}
