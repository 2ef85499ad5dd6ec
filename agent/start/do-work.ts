import type { Actions } from '../actions/start-actions.js';
import { createExecutor, type Executor } from '../executor/executor.js';
import { createOutbox, type Outbox } from '../outbox.js';
import type { AgentSession } from '../session/session.js';
import type { Context } from './context.js';

/** The outbox that publishes results until they are receipted. */
export function reportResults({ home, metrics, clock, log, random, stops }: Context, { voice }: AgentSession): Outbox {
  const { journal } = home;
  const outbox = createOutbox({
    journal,
    publish: voice.result,
    onCount: metrics.outbox,
    clock,
    log: log.child({ component: 'actions' }),
    random,
  });
  stops.add(outbox.stop);
  return outbox;
}

/** The executor that runs what is asked, and hands each result to the outbox. */
export function takeRequests(
  { settings, limits, home, mask, standing, heldForMs, ends, metrics, log, clock, random }: Context,
  { actions, session, outbox }: { actions: Actions; session: AgentSession; outbox: Outbox },
): Executor {
  const { voice, executionEnded } = session;
  return createExecutor({
    limits,
    maxPacketBytes: settings.max_packet_bytes,
    speaker: home.speaker,
    mask,
    machine: home.machine,
    find: actions.find,
    journal: home.journal,
    reporter: {
      ack: voice.ack,
      output: voice.output,
      result(id) {
        outbox.add(id);
        executionEnded();
        ends.ended(id);
      },
    },
    standing: standing.read,
    readsOnly: () => heldForMs() > 0,
    metrics,
    clock,
    log: log.child({ component: 'actions' }),
    random,
  });
}
