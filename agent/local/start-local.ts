import type { Socket } from 'node:net';
import { dirname } from 'node:path';
import { isMusterError, MusterError } from '../../protocol/errors.js';
import type { Logger } from '../../runtime/logger.js';
import { createRefusals } from '../../runtime/refusals.js';
import type { AgentMetrics } from '../metrics.js';
import type { AnswerDeps } from './serve-caller.js';
import { type Door, isOpenToOthers, type LocalListener, listenLocally } from './server.js';

export type LocalOptions = AnswerDeps &
  Readonly<{
    path: string;
    /** Whether `agent.local_users` names anybody. */
    isShared: boolean;
    metrics: Pick<AgentMetrics, 'localRefused'>;
    log: Logger;
  }>;

/** Connections that have not said yet who they are: past it the oldest makes room. */
const MAX_OPENING = 16;
/** Callers that are served at the same time. */
const MAX_SERVED = 16;

/**
 * Serves the local socket. An agent that cannot serve it works all the same and says so in its log: the controller is
 * not one of those who need it.
 */
export async function startLocal(options: LocalOptions): Promise<LocalListener> {
  const { path, isShared, users, log } = options;
  const unknown = users.unknown();
  if (unknown.length > 0) log.warn({ users: unknown }, 'local users are not known on this node');
  try {
    const callers = createCallers(options);
    const listener = await listenLocally({ path, isShared, onCaller: callers.take });
    log.info({ path, isShared }, 'local socket served');
    if (isShared && !isOpenToOthers(dirname(path))) log.warn({ path }, 'local users cannot reach the local socket');
    return {
      async stop() {
        const closed = listener.stop();
        callers.leave();
        await closed;
      },
    };
  } catch (error) {
    if (!isMusterError(error)) throw error;
    log.error({ err: error }, 'local socket not served');
    return { stop: () => Promise.resolve() };
  }
}

/** Who is connected, and how many may be. */
function createCallers(options: LocalOptions): { take: (socket: Socket, door: Door) => void; leave: () => void } {
  const { log, clock, metrics } = options;
  const served = new Set<Socket>();
  /** Those that have not proved who they are, the oldest first. */
  const opening = new Set<Socket>();
  const refusals = createRefusals({ log, clock, count: metrics.localRefused });
  const refused = (error: MusterError): void => refusals.note(error, { topic: 'local socket' });

  const turnAway = (socket: Socket): void => {
    refused(new MusterError('too_many_callers', 'the local socket has as many callers as it may'));
    socket.destroy();
  };
  const serve = async (socket: Socket, door: Door): Promise<void> => {
    // Loaded with the first caller: a node that never has one does not keep it in memory.
    const { serveCaller } = await import('./serve-caller.js');
    if (socket.destroyed) return;
    const onProved = (): void => {
      opening.delete(socket);
      served.add(socket);
    };
    serveCaller(socket, door, { deps: options, onProved, refused });
  };
  return {
    take(socket, door) {
      socket.on('error', () => socket.destroy());
      socket.once('close', () => {
        opening.delete(socket);
        served.delete(socket);
      });
      if (served.size >= MAX_SERVED) return turnAway(socket);
      opening.add(socket);
      const [oldest] = opening;
      if (opening.size > MAX_OPENING && oldest !== undefined) turnAway(oldest);
      void serve(socket, door);
    },
    leave() {
      for (const socket of [...opening, ...served]) socket.destroy();
    },
  };
}
