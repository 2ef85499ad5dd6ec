import { Result } from '../../protocol/messages/result.js';
import type { IncomingMessage } from '../../runtime/mqtt-session.js';
import { type Judge, type NodeMessage, openNodeMessage, openNodeMessageAside } from './open-message.js';

/** Results whose signatures are being checked on other threads; those of one node are handed on as they came. */
export type ResultOpening = Readonly<{
  /**
   * Opens a result and hands it to `next` after those of its node that came before. One of few is opened at once, since
   * the way to another thread and back takes longer than a free processor needs for the signature.
   * @throws {MusterError} as openNodeMessage, at once or by the promise
   */
  take: (message: IncomingMessage, next: Next) => void | Promise<void>;
}>;

type Next = (opened: NodeMessage<Result>) => void | Promise<void>;

/** With fewer that wait for the disk the main thread has time for signatures. */
const FEW = 8;
/** So many keep two processors busy for some milliseconds; beyond them the main thread helps. */
const MAX_ASIDE = 64;

const EXPECTED = { typ: 'muster-result', schema: Result } as const;

/** `pending` says how many results wait for the disk. */
export function createResultOpening(judge: Judge, pending: () => number): ResultOpening {
  /** By node: settles once the last of its results that came has been handed on or refused. */
  const last = new Map<string, Promise<void>>();
  let aside = 0;

  async function openAside(message: IncomingMessage): Promise<NodeMessage<Result>> {
    aside += 1;
    try {
      return await openNodeMessageAside(judge, message, EXPECTED);
    } finally {
      aside -= 1;
    }
  }

  async function openHere(message: IncomingMessage): Promise<NodeMessage<Result>> {
    return openNodeMessage(judge, message, EXPECTED);
  }

  async function handOn(opened: Promise<NodeMessage<Result>>, before: Promise<void>, next: Next): Promise<void> {
    await Promise.allSettled([opened, before]);
    await next(await opened);
  }

  return {
    take(message, next) {
      const { node = '' } = message.levels;
      const before = last.get(node);
      const isHere = aside >= MAX_ASIDE || aside + pending() < FEW;
      if (before === undefined && isHere) return next(openNodeMessage(judge, message, EXPECTED));
      const opened = isHere ? openHere(message) : openAside(message);
      const done = handOn(opened, before ?? Promise.resolve(), next);
      const settled = done
        .catch(() => undefined)
        .finally(() => {
          if (last.get(node) === settled) last.delete(node);
        });
      last.set(node, settled);
      return done;
    },
  };
}
