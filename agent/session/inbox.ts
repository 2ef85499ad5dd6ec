import { isMusterError, MusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { IncomingMessage } from '../../runtime/mqtt-session.js';
import { createRefusals, type Refusal } from '../../runtime/refusals.js';
import type { AgentMetrics } from '../metrics.js';
import { type ControlDeps, obey } from './controls.js';
import type { Greeting } from './greeting.js';
import { createLane } from './lane.js';
import { createOpening } from './opening.js';
import { openControl, type ReceiveContext } from './receive.js';

/** More requests, or more controls, than this at once are dropped; a flood of the ones leaves the others their way. */
const MAX_UNDER_WAY = 1000;
/** With fewer requests under way than this the main thread has time for their signatures. */
const FEW_UNDER_WAY = 8;

/** What does the work that messages ask for. */
export type ServedParts = Pick<ControlDeps, 'executor' | 'outbox' | 'resends'>;

export type InboxOptions = Readonly<{
  context: ReceiveContext;
  greeting: Pick<Greeting, 'answers' | 'later'>;
  /** What a control acts on beside the served parts. */
  controls: Omit<ControlDeps, keyof ServedParts>;
  metrics: Pick<AgentMetrics, 'refused'>;
  clock: Clock;
  log: Logger;
}>;

/** Takes what the broker brings: each message is opened, and done or refused. */
export type Inbox = Readonly<{
  /** Returns at once, whatever there is to do: what comes next may be a cancel. */
  take: (message: IncomingMessage) => void;
  /** Messages are dropped until then, as if they had come before the start. */
  serve: (parts: ServedParts) => void;
  /** The newest refusal; undefined before the first. */
  lastRefusal: () => Refusal | undefined;
}>;

/** Serves nothing yet. */
export function createInbox({ context, greeting, controls: deps, metrics, clock, log }: InboxOptions): Inbox {
  // Signed by the controller and yet not to be read: no stranger can cause that.
  const isFault = (code: string): boolean => code.startsWith('payload_');
  const refusals = createRefusals({ log, clock, count: metrics.refused, isFault });
  const requests = createLane(MAX_UNDER_WAY);
  const controls = createLane(MAX_UNDER_WAY);
  const opening = createOpening(context);
  let parts: ServedParts | undefined;

  function take(message: IncomingMessage): void {
    if (parts === undefined) return;
    const served = parts;
    try {
      if (message.kind === 'control') void controls.take(() => takeControl(message, served));
      else void requests.take(() => takeRequest(message, served));
    } catch (error) {
      if (!isMusterError(error)) throw error;
      refusals.note(error, { topic: message.kind });
    }
  }

  /** @throws {MusterError} a refusal of openRequest, unless it comes later and is noted */
  function takeRequest(message: IncomingMessage, { executor }: ServedParts): Promise<void> {
    const isAlone = requests.underWay < FEW_UNDER_WAY;
    return settle(opening.take(message, { isAlone, next: executor.execute }), { about: { topic: message.kind } });
  }

  /** @throws {MusterError} a refusal of openControl, stale */
  function takeControl(message: IncomingMessage, served: ServedParts): Promise<void> {
    const { control, sha256 } = openControl(message, context);
    if (control.kind === 'welcome' && !greeting.answers(control.nonce)) {
      throw new MusterError('stale', 'the welcome answers no open hello');
    }
    const work = obey(control, sha256, { ...deps, ...served });
    return settle(work, control.kind === 'welcome' ? { onFailure: greeting.later } : {});
  }

  async function settle(
    work: Promise<unknown>,
    { about = {}, onFailure }: { about?: Readonly<Record<string, unknown>>; onFailure?: () => void },
  ): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!isMusterError(error)) throw error;
      refusals.note(error, about);
      onFailure?.();
    }
  }

  return {
    take,
    serve(served) {
      parts = served;
    },
    lastRefusal: refusals.last,
  };
}
