import type { IncomingMessage } from '../../runtime/mqtt-session.js';
import type { ReceivedRequest } from '../executor/received.js';
import { openRequest, openRequestAside, type ReceiveContext } from './receive.js';

/** Requests whose signatures are being checked on other threads, in the order in which they came. */
export type Opening = Readonly<{
  /**
   * Opens a request and hands it on after those that came before. What is alone is opened at once, since the way to
   * another thread and back takes longer than a free processor needs for the signature.
   * @throws {MusterError} as openRequest, at once or by the promise
   */
  take: <T>(
    message: IncomingMessage,
    { isAlone, next }: { isAlone: boolean; next: (received: ReceivedRequest) => Promise<T> },
  ) => Promise<T>;
  /** Undefined while there is room for another; else resolves when there is. */
  room: () => Promise<void> | undefined;
}>;

/** So many signatures keep two processors busy for a millisecond or two; whoever sends more waits. */
const MAX_ASIDE = 64;

/** An opening with nothing in it. */
export function createOpening(context: ReceiveContext): Opening {
  let aside = 0;
  /** Settles, and never fails, once the last one that came has been handed on or refused. */
  let last: Promise<unknown> = Promise.resolve();

  async function openInTurn(message: IncomingMessage, before: Promise<unknown>): Promise<ReceivedRequest> {
    aside += 1;
    try {
      return await openRequestAside(message, context);
    } finally {
      await before;
      aside -= 1;
    }
  }

  return {
    take(message, { isAlone, next }) {
      if (isAlone && aside === 0) return next(openRequest(message, context));
      const opened = openInTurn(message, last);
      last = opened.catch(() => undefined);
      return opened.then(next);
    },
    room: () => (aside < MAX_ASIDE ? undefined : last.then(() => undefined)),
  };
}
