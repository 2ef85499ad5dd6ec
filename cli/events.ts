import { setTimeout as delay } from 'node:timers/promises';
import { StreamMessage } from '../controller/http/event-schemas.js';
import { isMusterError, MusterError } from '../protocol/errors.js';
import type { Client } from './client.js';

/** How often a controller that went away is asked again, and for how long. */
const RETRY_MS = 1_000;
const MAX_RETRIES = 60;

/** The longest event in characters; a longer one is none of ours. */
const MAX_BLOCK = 1024 * 1024;

/** Which events are wanted; `after` is the id of the last one that was seen. */
export type EventFilter = Readonly<{
  types?: string | undefined;
  invocation?: string | undefined;
  node?: string | undefined;
  after?: number | undefined;
}>;

/**
 * Hands over events as they happen, until the signal fires. A controller that goes away is waited for, and what
 * happened meanwhile comes then. `ready` comes at each connection.
 * @throws {MusterError} cancelled (the signal fired), unavailable (for a minute), unauthenticated, forbidden, and what
 *   `onMessage` throws
 */
export async function followEvents(
  client: Client,
  {
    filter: { after, ...filter },
    signal,
    onMessage,
  }: { filter: EventFilter; signal: AbortSignal; onMessage: (message: StreamMessage) => void | Promise<void> },
): Promise<never> {
  let lastId = after;
  let failures = 0;
  for (;;) {
    try {
      const query = { ...filter, after: lastId };
      for await (const message of parseBlocks(client.stream({ path: '/events', query, signal }))) {
        failures = 0;
        lastId = message.id;
        if (message.type === 'end' && message.code === 'unauthenticated') {
          throw new MusterError('unauthenticated', 'The token is not valid any more');
        }
        await onMessage(message);
      }
    } catch (error) {
      const isPassing = isMusterError(error, 'unavailable') || isMusterError(error, 'deadline_passed');
      failures += 1;
      if (!isPassing || failures > MAX_RETRIES) throw error;
    }
    await delay(RETRY_MS, undefined, { signal }).catch(() => undefined); // the next call then says cancelled
  }
}

/** The messages of server-sent events. What this release does not know is left out: a newer controller may tell more. */
async function* parseBlocks(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<StreamMessage, void> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const part of bytes) {
    const blocks = `${rest}${decoder.decode(part, { stream: true })}`.split('\n\n');
    rest = blocks.pop() ?? '';
    if (rest.length > MAX_BLOCK) throw new MusterError('unavailable', 'What came is longer than any event');
    for (const block of blocks) {
      const message = StreamMessage.safeParse(parseData(block));
      if (message.success) yield message.data;
    }
  }
}

function parseData(block: string): unknown {
  const [, data] = /^data: (.*)$/m.exec(block) ?? [];
  try {
    return JSON.parse(data ?? '');
  } catch {
    return undefined;
  }
}
