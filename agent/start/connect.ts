import { parseDuration } from '../../protocol/durations.js';
import type { Actions } from '../actions/start-actions.js';
import { type AgentSession, startAgentSession } from '../session/session.js';
import type { Context } from './context.js';

/** Starts connecting to the broker. */
export function connect(
  { settings, home, standing, keys, metrics, log, clock, random, stops }: Context,
  { actions, onWelcome }: { actions: Actions; onWelcome: () => void },
): AgentSession {
  const { identity, key, journal, speaker } = home;
  const session = startAgentSession({
    identity,
    signing: key.signing,
    keys,
    standing,
    speaker,
    brokerUrl: settings.broker_url ?? identity.current.broker.url,
    keepAliveSeconds: settings.keep_alive,
    maxPacketBytes: settings.max_packet_bytes,
    helloIntervalMs: parseDuration(settings.hello_interval) ?? 0,
    metricsIntervalMs: parseDuration(settings.metrics_interval) ?? 0,
    journal,
    metrics,
    capabilities: actions.capabilities,
    onWelcome,
    clock,
    log: log.child({ component: 'session' }),
    random,
  });
  stops.add(session.stop);
  return session;
}
