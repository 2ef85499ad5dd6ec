import type { Tools } from '../system/tool.js';

/** What is to be shown: without control characters but for line ends and tabs in the text. */
export type Notice = Readonly<{ title: string; text: string }>;

/**
 * What became of a notice. `shown` says by what, in the words of the row, and to which users where that is known;
 * `absent`: there is nothing on this node that this way could use.
 */
export type Shown =
  | Readonly<{ kind: 'shown'; message: string; by: string; uids: readonly number[] }>
  | Readonly<{ kind: 'absent' }>
  | Readonly<{ kind: 'failed'; why: string }>;

/** One way to show something to people. It ends by itself in bounded time, and says `shown` only when it was. */
export type Notifier = (notice: Notice, context: NotifyContext) => Promise<Shown>;

export type NotifyContext = Readonly<{
  tools: Tools;
  signal: AbortSignal;
  /** How long one way may take; milliseconds. */
  limitMs: number;
}>;

/** Fires with the action, or when this one way has had its time. */
export function limited({ signal, limitMs }: Pick<NotifyContext, 'signal' | 'limitMs'>): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
}
