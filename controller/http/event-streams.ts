import { addAbortListener } from 'node:events';
import { isMusterError, MusterError } from '../../protocol/errors.js';
import { withDeadline } from '../../runtime/deadline.js';
import type { Principal } from '../services.js';

/** Why a stream ends; `gone` when its client went by itself, or does not read. */
export type EndCode = 'unauthenticated' | 'forbidden' | 'unavailable' | 'gone';

/** Bounds of event streams; times in milliseconds. */
export type StreamLimits = Readonly<{
  /** Open streams in all, and of one user. */
  max: number;
  perUser: number;
  /** Something is sent at least this often. */
  heartbeatMs: number;
  /** A client that takes nothing for so long is dropped. */
  stallMs: number;
  /** Between two looks at whether the caller still may; promise 20 gives an open stream 5 s. */
  checkMs: number;
}>;

/** One open stream: `signal` fires with an {@link EndCode} as its reason. Whoever opened it releases it. */
export type OpenStream = Readonly<{ signal: AbortSignal; end: (code: EndCode) => void; release: () => void }>;

/** Every open stream of this process. */
export type EventStreams = Readonly<{
  limits: StreamLimits;
  /**
   * `check` says who asks, as it did when the stream was asked for, or throws.
   * @throws {MusterError} rate_limited, overloaded: there are too many
   */
  open: (principal: Principal, check: () => Promise<Principal | undefined>) => OpenStream;
  /** Ends all of them as `unavailable` and takes no more. */
  stop: () => void;
}>;

const USUAL_STREAMS = 256;

type Entry = Readonly<{
  principal: Principal;
  check: () => Promise<Principal | undefined>;
  ending: AbortController;
}>;

/** The usual bounds for so many streams: one user may have a quarter of them. */
export function limitsFor(max: number): StreamLimits {
  return { max, perUser: Math.ceil(max / 4), heartbeatMs: 15_000, stallMs: 30_000, checkMs: 2_000 };
}

/** `limits`: where they differ from the usual. */
export function createEventStreams({
  limits: changed,
  stopping,
}: {
  limits: Partial<StreamLimits>;
  stopping: AbortSignal;
}): EventStreams {
  const limits = { ...limitsFor(USUAL_STREAMS), ...changed };
  const open = new Set<Entry>();
  let timer: NodeJS.Timeout | undefined;
  let isChecking = false;

  async function checkAll(): Promise<void> {
    if (isChecking) return;
    isChecking = true;
    await Promise.all([...open].map((entry) => checkOne(entry, limits.checkMs)));
    isChecking = false;
  }

  function stop(): void {
    for (const { ending } of open) ending.abort('unavailable');
  }

  addAbortListener(stopping, stop);
  return {
    limits,
    open(principal, check) {
      if (stopping.aborted) throw new MusterError('unavailable', 'The controller is stopping');
      if (open.size >= limits.max) throw new MusterError('overloaded', 'Too many event streams are open');
      const own = [...open].filter(({ principal: { org, id } }) => org === principal.org && id === principal.id);
      if (own.length >= limits.perUser) {
        throw new MusterError('rate_limited', `${limits.perUser} of your event streams are open already`);
      }
      const entry = { principal, check, ending: new AbortController() };
      open.add(entry);
      timer ??= setInterval(checkAll, limits.checkMs);
      return {
        signal: entry.ending.signal,
        end: (code) => entry.ending.abort(code),
        release() {
          open.delete(entry);
          if (open.size > 0) return;
          clearInterval(timer);
          timer = undefined;
        },
      };
    },
    stop,
  };
}

/** Whoever may not any more, may as somebody else, or cannot be looked up, is cut off. */
async function checkOne({ principal, check, ending }: Entry, deadlineMs: number): Promise<void> {
  try {
    const now = await withDeadline(check(), deadlineMs, 'looking up who reads events');
    if (now === undefined || now.id !== principal.id || now.org !== principal.org) ending.abort('unauthenticated');
    else if (now.role !== principal.role) ending.abort('forbidden');
  } catch (error) {
    const code = isMusterError(error) && (error.code === 'unauthenticated' || error.code === 'forbidden');
    ending.abort(code ? error.code : 'unavailable');
  }
}
