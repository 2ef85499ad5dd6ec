import type { Mask } from '../../runtime/masking/mask.js';

/** An answer as it may leave: JSON stays JSON. Streams are passed on as they are: events are masked when they are stored. */
export function maskAnswer(mask: Mask, payload: unknown): unknown {
  if (Buffer.isBuffer(payload)) return mask.octets(payload);
  if (typeof payload !== 'string') return payload;
  const masked = mask.typed(payload);
  return masked === payload ? payload : maskText(mask, { payload, masked });
}

/** In the text of a document a mark could stand where none may: there its texts are masked one by one. */
function maskText({ json }: Mask, { payload, masked }: Readonly<{ payload: string; masked: string }>): string {
  try {
    return JSON.stringify(json(JSON.parse(payload)));
  } catch {
    return masked;
  }
}
