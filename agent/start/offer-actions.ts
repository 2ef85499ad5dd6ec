import { dirname } from 'node:path';
import { parseDuration } from '../../protocol/durations.js';
import { type Actions, startActions } from '../actions/start-actions.js';
import type { Executor } from '../executor/executor.js';
import { servedSocket } from '../local/place.js';
import type { AgentSession } from '../session/session.js';
import type { Context } from './context.js';

/** What actions ask for that starts after them: there is one by the time an action runs or a hook or container changes. */
type Later = Readonly<{
  session: () => AgentSession;
  executor: () => Executor;
  /** Ends this process in order, so that it is started again. */
  leave: () => void;
}>;

/** Finds what this node can do, and tells of it when it changes. */
export async function offerActions(
  { config, settings, limits, home, mask, metrics, log, clock, random, stops }: Context,
  { session, executor, leave }: Later,
): Promise<Actions> {
  const socket = servedSocket(settings, { dataDir: home.dataDir, env: process.env });
  const actions = await startActions({
    org: home.speaker.org,
    node: home.speaker.node,
    dataDir: home.dataDir,
    socketDirectory: socket === undefined ? undefined : dirname(socket),
    bootId: home.speaker.bootId,
    processIsolation: settings.process_isolation,
    limits,
    mask,
    envPrefix: settings.hooks_env_prefix,
    hooksVerifyMs: parseDuration(settings.hooks_verify_interval) ?? 0,
    settings,
    endpoints: {
      broker: settings.broker_url ?? home.identity.current.broker.url,
      controller: home.identity.current.controller_url ?? settings.enroll_url,
    },
    clock,
    own: { machine: home.machine, running: () => executor().activeCount(), leave },
    random,
    meshInterface: config.mesh.interface,
    localAddress: () => session().localAddress,
    maxPacketBytes: settings.max_packet_bytes,
    onChange() {
      metrics.offer(actions.names());
      session().capabilitiesChanged();
    },
    log: log.child({ component: 'actions' }),
  });
  stops.add(actions.stop);
  metrics.offer(actions.names());
  return actions;
}
