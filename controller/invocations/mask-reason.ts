import type { Mask } from '../../runtime/masking/mask.js';

const MAX_REASON = 1024;

/** An ask whose reason holds no registered value: unlike a parameter, no node and no system needs it as it was typed. */
export function maskReason<A extends Readonly<{ reason?: string | undefined }>>(ask: A, mask: Mask): A {
  return ask.reason === undefined ? ask : { ...ask, reason: mask.typed(ask.reason).slice(0, MAX_REASON) };
}
