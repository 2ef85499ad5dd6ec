import { MusterError } from '../../protocol/errors.js';
import type { IncomingMessage } from '../../runtime/mqtt-session.js';
import type { ReceivedRequest } from '../executor/received.js';
import { openRequest, openRequestAside, type ReceiveContext } from './receive.js';

/** Requests whose signatures are being checked on other threads, in the order in which they came. */
export type Opening = Readonly<{
  /**
   * Opens a request and hands it on after those that came before. What is alone is opened at once, since the way to
   * another thread and back takes longer than a free processor needs for the signature.
   * @throws {MusterError} as openRequest, at once or by the promise; at once max_concurrent_reached
   */
  take: <T>(
    message: IncomingMessage,
    { isAlone, next }: { isAlone: boolean; next: (received: ReceivedRequest) => Promise<T> },
  ) => Promise<T>;
}>;

/**
 * So many signatures keep two processors busy for a millisecond or two. More are checked at once: the other threads are
 * behind, or a disk that hangs has them all.
 */
const MAX_ASIDE = 64;
/**
 * Requests that wait for those before them have so many bytes together; past that they are dropped and offered again.
 * They are never held back in the connection, where cancels, acknowledgements and pings would wait behind them.
 */
const MAX_WAITING_BYTES = 2 * 1024 * 1024;

/** An opening with nothing in it. How many may wait in it is the caller's to bound. */
export function createOpening(context: ReceiveContext): Opening {
  let waiting = 0;
  let waitingBytes = 0;
  /** Settles, and never fails, once the last one that came has been handed on or refused. */
  let last: Promise<unknown> = Promise.resolve();

  async function inTurn(
    request: ReceivedRequest | Promise<ReceivedRequest>,
    { before, bytes }: { before: Promise<unknown>; bytes: number },
  ): Promise<ReceivedRequest> {
    waiting += 1;
    waitingBytes += bytes;
    try {
      return await request;
    } finally {
      await before;
      waiting -= 1;
      waitingBytes -= bytes;
    }
  }

  return {
    take(message, { isAlone, next }) {
      if (isAlone && waiting === 0) return next(openRequest(message, context));
      const bytes = message.payload.length;
      if (waiting > 0 && waitingBytes + bytes > MAX_WAITING_BYTES)
        throw new MusterError('max_concurrent_reached', 'too many bytes of requests wait for their signatures');
      const request = waiting < MAX_ASIDE ? openRequestAside(message, context) : openRequest(message, context);
      const opened = inTurn(request, { before: last, bytes });
      last = opened.catch(() => undefined);
      return opened.then(next);
    },
  };
}
