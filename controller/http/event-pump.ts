import { addAbortListener } from 'node:events';
import { MusterError } from '../../protocol/errors.js';
import { type Clock, toTime } from '../../runtime/clock.js';
import { reaches } from '../identity/roles.js';
import type { EventFeed, FeedEvent, Principal } from '../services.js';
import { EVENT_ROLES, type EventsQuery, type StreamNote } from './event-schemas.js';
import type { EndCode, OpenStream, StreamLimits } from './event-streams.js';

/** One message on its way out; `text` is its JSON on one line. */
export type Outgoing = Pick<FeedEvent, 'id' | 'type' | 'text'>;

/** A client at the end of a stream, however it is connected. */
export type Sink = Readonly<{
  /** Resolves when the client's side has taken them, so that none is kept here for one that does not read. */
  send: (messages: readonly Outgoing[]) => Promise<void>;
  /** Says that there is nothing, and up to which event that is so. */
  beat: (heartbeat: Outgoing) => Promise<void>;
  /** Says why the stream ends, and ends it. */
  end: (last: Outgoing, code: Exclude<EndCode, 'gone'>) => void;
  destroy: () => void;
}>;

/** Which events a stream passes on. */
export type EventFilter = (event: FeedEvent) => boolean;

/**
 * The filter of a query, never more than the caller may see.
 * @throws {MusterError} forbidden: a type was named that the caller may not see
 */
export function filterOf({ org, role }: Principal, { types, invocation, node }: EventsQuery): EventFilter {
  const allowed = Object.entries(EVENT_ROLES).flatMap(([type, least]) => (reaches(role, least) ? [type] : []));
  const denied = types?.find((type) => !allowed.includes(type));
  if (denied !== undefined) throw new MusterError('forbidden', `Events of the type ${denied} are not for a ${role}`);
  const wanted: ReadonlySet<string> = new Set(types ?? allowed);
  return (event) =>
    event.org === org &&
    wanted.has(event.type) &&
    (invocation === undefined || event.invocation === invocation) &&
    (node === undefined || event.node === node);
}

/**
 * Passes events on until the stream ends. It takes from the log what its client can take and no more:
 * one that is slow costs nothing but its place, and one that stands still is dropped.
 * @throws {MusterError} not_connected: the client went, or does not read
 */
export async function pumpEvents({
  feed,
  sink,
  stream: { signal },
  filter,
  after,
  limits: { heartbeatMs, stallMs },
  clock,
}: {
  feed: EventFeed;
  sink: Sink;
  stream: OpenStream;
  filter: EventFilter;
  /** The id that the client has seen; undefined when it wants what comes from now on. */
  after: number | undefined;
  limits: StreamLimits;
  clock: Clock;
}): Promise<void> {
  const { head, close } = await feed.open();
  let position = after ?? head;
  let sentMs = clock.monotonicMs();
  const taken = async (work: Promise<void>): Promise<void> => {
    await takenInTime(work, { ms: stallMs, signal });
    sentMs = clock.monotonicMs();
  };
  const note = (of: StreamNote): Outgoing => noteAt(of, position, clock);
  try {
    await taken(sink.send([note({ type: 'ready' })]));
    while (!signal.aborted) {
      const page = await feed.read(position);
      if (page === 'gone') {
        position = await feed.head();
        await taken(sink.send([note({ type: 'reset' })]));
        continue;
      }
      position = page.last;
      const wanted = page.events.filter(filter);
      if (wanted.length > 0) await taken(sink.send(wanted));
      const restMs = sentMs + heartbeatMs - clock.monotonicMs();
      if (restMs <= 0) await taken(sink.beat(note({ type: 'heartbeat' })));
      else if (page.events.length === 0) await feed.changed(position, { ms: restMs, signal });
    }
    const code: unknown = signal.reason;
    if (code === 'unauthenticated' || code === 'forbidden' || code === 'unavailable')
      sink.end(note({ type: 'end', code }), code);
    else sink.destroy();
  } catch (error) {
    sink.destroy();
    throw error;
  } finally {
    close();
  }
}

function noteAt(note: StreamNote, id: number, clock: Clock): Outgoing {
  return { id, type: note.type, text: JSON.stringify({ id, at: toTime(clock.nowMs()), ...note }) };
}

/** @throws {MusterError} not_connected: the client took too long, or the stream ended meanwhile; and what the work throws */
async function takenInTime(work: Promise<void>, { ms, signal }: { ms: number; signal: AbortSignal }): Promise<void> {
  let release = (): void => undefined;
  const stop = new Promise<never>((_, reject) => {
    const fail = (): void => reject(new MusterError('not_connected', 'The client does not read'));
    const timer = setTimeout(fail, ms);
    const listener = addAbortListener(signal, fail);
    release = () => {
      clearTimeout(timer);
      listener[Symbol.dispose]();
    };
  });
  try {
    await Promise.race([work, stop]);
  } finally {
    release();
  }
}
