import { dirname } from 'node:path';
import { parseDuration } from '../../protocol/durations.js';
import { type Actions, startActions } from '../actions/start-actions.js';
import { servedSocket } from '../local/place.js';
import type { AgentSession } from '../session/session.js';
import type { Context } from './context.js';

/**
 * Finds what this node can do, and tells of it when it changes. `session` is asked for only when hooks change, and by
 * actions that run: there is one by then.
 */
export async function offerActions(
  { config, settings, limits, home, metrics, log, clock, stops }: Context,
  session: () => AgentSession,
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
    envPrefix: settings.hooks_env_prefix,
    hooksVerifyMs: parseDuration(settings.hooks_verify_interval) ?? 0,
    settings,
    endpoints: {
      broker: settings.broker_url ?? home.identity.current.broker.url,
      controller: home.identity.current.controller_url ?? settings.enroll_url,
    },
    clock,
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
