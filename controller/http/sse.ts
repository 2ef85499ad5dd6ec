import type { ServerResponse } from 'node:http';
import { MusterError } from '../../protocol/errors.js';
import type { Outgoing, Sink } from './event-pump.js';

/** A browser waits this long before it connects again, in milliseconds. */
const RETRY_MS = 2_000;
/** How long a client has to take the last message. */
const END_MS = 1_000;
const CHARACTERS_PER_WRITE = 32 * 1024;

/** Server-sent events (HTML standard, section 9.2) as an answer whose head is not sent yet. */
export function createSseSink(response: ServerResponse, headers: Readonly<Record<string, string>>): Sink {
  response.writeHead(200, {
    ...headers,
    'content-type': 'text/event-stream; charset=utf-8',
    'x-accel-buffering': 'no', // a proxy that gathers an answer before it passes it on would gather for ever
  });
  response.write(`retry: ${RETRY_MS}\n\n`);

  /** Resolves when there is room for more. */
  function write(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      if (response.destroyed || response.writableEnded) return reject(gone());
      if (response.write(text)) return resolve();
      const onDrain = (): void => {
        response.off('close', onClose);
        resolve();
      };
      const onClose = (): void => {
        response.off('drain', onDrain);
        reject(gone());
      };
      response.once('drain', onDrain);
      response.once('close', onClose);
    });
  }

  return {
    async send(messages) {
      let text = '';
      for (const message of messages) {
        text += blockOf(message);
        if (text.length < CHARACTERS_PER_WRITE) continue;
        await write(text);
        text = '';
      }
      if (text !== '') await write(text);
    },
    // A block without data is no event, but its id is where a browser would go on from.
    beat: ({ id }) => write(`: nothing new\nid: ${id}\n\n`),
    end(last) {
      const timer = setTimeout(() => response.destroy(), END_MS);
      response.once('close', () => clearTimeout(timer));
      response.end(blockOf(last));
    },
    destroy: () => void response.destroy(),
  };
}

function blockOf({ id, type, text }: Outgoing): string {
  return `id: ${id}\nevent: ${type}\ndata: ${text}\n\n`;
}

function gone(): MusterError {
  return new MusterError('not_connected', 'The client has gone');
}
