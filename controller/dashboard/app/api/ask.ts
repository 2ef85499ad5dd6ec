import { useRef } from 'react';
import type { CreateInvocation, InvocationAnswer, InvocationPreview } from '../../../http/schemas.js';
import { call } from './client.js';

/** What is asked of nodes; the rest of its fields have their defaults. */
export type Ask = Pick<CreateInvocation, 'action' | 'target'> & Partial<CreateInvocation>;

/**
 * Asks, and does not wait for the end. What is sent again while the same dialog is open, because no answer came to it,
 * is the same ask to the controller; what says anything else is another one.
 */
export function useAskOnce(): (body: Ask) => Promise<InvocationAnswer> {
  const keys = useRef<ReadonlyMap<string, string>>(new Map());
  return (body) => {
    const asked = JSON.stringify(body);
    const key = keys.current.get(asked) ?? crypto.randomUUID();
    keys.current = new Map(keys.current).set(asked, key);
    return call('POST', '/invocations', { body, headers: { 'idempotency-key': key, prefer: 'wait=0' } });
  };
}

/** What an ask would come to. @throws {Failure} */
export function previewAsk(body: Ask): Promise<InvocationPreview> {
  return call('POST', '/invocations/preview', { body });
}
