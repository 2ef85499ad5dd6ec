import type { Actions } from '../actions/start-actions.js';
import type { Executor } from '../executor/executor.js';
import { servedSocket } from '../local/place.js';
import { startLocal } from '../local/start-local.js';
import { createUsers } from '../local/users.js';
import type { AgentSession } from '../session/session.js';
import type { Context } from './context.js';

/** For people on the node itself; needs neither broker nor welcome. */
export async function serveLocally(
  { settings, limits, home, keys, heldForMs, ends, started, metrics, log, clock, stops }: Context,
  { actions, session, executor }: { actions: Actions; session: AgentSession; executor: Executor },
): Promise<void> {
  const path = servedSocket(settings, { dataDir: home.dataDir, env: process.env });
  if (path === undefined) return;
  const { journal, speaker } = home;
  const local = await startLocal({
    ...{ path, executor, session, journal, speaker, keys, heldForMs, ends, started, limits, metrics, clock },
    isShared: settings.local_users.length > 0,
    users: createUsers({ listed: settings.local_users, ownUid: process.getuid?.() ?? 0 }),
    find: actions.find,
    capabilities: actions.capabilities,
    journalMaxBytes: settings.journal_max_bytes,
    maxPacketBytes: settings.max_packet_bytes,
    log: log.child({ component: 'local' }),
  });
  stops.add(local.stop);
}
