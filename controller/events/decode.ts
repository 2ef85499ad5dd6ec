import { z } from 'zod';
import { toTime } from '../../runtime/clock.js';
import type { FeedEvent } from '../services.js';
import type { EventRow } from '../store/events.js';

/** What decides who gets a stored event. The rest of it is ours, as it was written. */
const Stored = z.array(
  z.looseObject({
    type: z.string(),
    invocation_id: z.string().optional(),
    invocationId: z.string().optional(),
    node: z.string().optional(),
  }),
);

/** The events of a row that come after this id, each with its place. */
export function decodeRow({ firstId, org, at, body }: EventRow, afterId: number): FeedEvent[] {
  const time = toTime(at);
  return Stored.parse(JSON.parse(body)).flatMap((event, index) => {
    const id = firstId + index;
    if (id <= afterId) return [];
    const { type, node, invocation_id, invocationId } = event;
    const invocation = invocation_id ?? invocationId;
    return [{ id, org, type, invocation, node, text: JSON.stringify({ id, at: time, ...event }) }];
  });
}
