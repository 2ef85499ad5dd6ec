import { parseDuration } from '../protocol/durations.js';
import { createGate } from '../runtime/gate.js';
import type { Running } from '../runtime/lifecycle.js';
import type { Executor } from './executor/executor.js';
import type { Outbox } from './outbox.js';
import type { AgentSession } from './session/session.js';
import { connect } from './start/connect.js';
import { type Context, prepare, type StartAgentOptions } from './start/context.js';
import { reportResults, takeRequests } from './start/do-work.js';
import { offerActions } from './start/offer-actions.js';
import { serveLocally } from './start/serve-locally.js';
import { serveMetrics } from './start/serve-metrics.js';
import { tidyHeap } from './start/tidy-heap.js';
import { createStops } from './stops.js';

/** An agent that works, or waits for its broker. */
export type RunningAgent = Running &
  Readonly<{
    node: string;
    /** Undefined when none is served. */
    metricsPort: number | undefined;
    whenWelcomed: Promise<void>;
    /** An action has asked for a restart: the process is to be stopped, and started again. */
    whenLeaving: Promise<void>;
    /** How long `stop` waits for running actions. */
    drainMs: number;
    /** Says in a line how it is, once its journal answers; never while its disk hangs. */
    pulse: () => Promise<string>;
  }>;

/** After the drain the cancelled results have this long to reach the broker. */
const LAST_RESULTS_MS = 4_000;

/**
 * Starts an agent: identity, journal, actions, then the session (P-97). What was left open by a crash is ended before
 * anything new is taken.
 * @throws {MusterError} data_dir_unusable, already_running, enrollment_failed, unavailable, usage, config_invalid,
 *   port_in_use, storage_failed, unsafe_key
 */
export async function startAgent(options: StartAgentOptions): Promise<RunningAgent> {
  const stops = createStops();
  try {
    const context = await prepare(options, stops);
    const [welcomed, leaving] = [createGate(), createGate()];
    const actions = await offerActions(context, {
      session: () => session,
      executor: () => executor,
      leave: leaving.open,
    });
    const session = connect(context, { actions, onWelcome: welcomed.open });
    const outbox = reportResults(context, session);
    const executor = takeRequests(context, { actions, session, outbox });
    void executor.recover(); // not waited for: with a full disk the agent comes up, and refuses new work meanwhile
    await serveLocally(context, { actions, session, executor });
    const metricsPort = await serveMetrics(context, session);
    session.serve({ executor, outbox });
    tidyHeap(context);
    const { node } = context.home.speaker;
    const drainMs = parseDuration(context.settings.drain_timeout) ?? 0;
    context.log.info({ node, metricsPort }, 'agent started');
    return {
      node,
      metricsPort,
      whenWelcomed: welcomed.whenOpen,
      pulse: () => takePulse(context, session, executor),
      drainMs,
      whenLeaving: leaving.whenOpen,
      stop: (hurry) => stopWork(context, { session, outbox, executor, drainMs, hurry }),
    };
  } catch (error) {
    await stops.all();
    throw error;
  }
}

async function takePulse({ home }: Context, session: AgentSession, executor: Executor): Promise<string> {
  await home.journal.answers();
  const link = session.connected ? 'Connected to the broker' : 'No connection to the broker';
  return `${link}; ${executor.activeCount()} running, ${home.journal.unreceipted().length} to report`;
}

async function stopWork(
  { stops }: Context,
  {
    session,
    outbox,
    executor,
    drainMs,
    hurry,
  }: { session: AgentSession; outbox: Outbox; executor: Executor; drainMs: number; hurry: AbortSignal },
): Promise<void> {
  await executor.shutdown(drainMs, hurry);
  await outbox.settled(session.connected ? AbortSignal.timeout(LAST_RESULTS_MS) : AbortSignal.abort());
  await stops.all();
}
