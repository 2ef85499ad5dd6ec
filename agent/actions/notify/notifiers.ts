import type { System } from '../system/platform.js';
import { byNotifySend, byWall, byZenity } from './linux.js';
import { byOsascript } from './macos.js';
import type { Notice, Notifier, NotifyContext, Shown } from './notifier.js';
import { byProgram } from './program.js';
import { findSessions } from './sessions.js';
import { byMessageBox } from './windows.js';

/** What decides how a node shows a notice. */
export type NotifySource = Readonly<{
  system: System;
  /** `agent.message_program`, which is tried before everything else. */
  program: string | undefined;
  /** The agent's own environment. */
  env: Readonly<Record<string, string | undefined>>;
  sessionsDirectory?: string;
}>;

/** The ways of this platform, in the order in which they are tried; undefined on one that has none of ours. */
export function notifiersOf({ system, program, env, sessionsDirectory = '/run/user' }: NotifySource) {
  const own = program === undefined ? [] : [byProgram(program)];
  const usual = usualOf({ system, env, directory: sessionsDirectory });
  return usual === undefined && own.length === 0 ? undefined : [...own, ...(usual ?? [])];
}

function usualOf({
  system: { platform, isRoot, uid },
  env,
  directory,
}: Pick<NotifySource, 'system' | 'env'> & { directory: string }): readonly Notifier[] | undefined {
  switch (platform) {
    case 'linux': {
      const sessions = () => findSessions({ isRoot, env, uid, directory });
      return [byNotifySend(sessions), byZenity(sessions), byWall({ isRoot })];
    }
    case 'darwin':
      return [byOsascript({ isRoot })];
    case 'win32':
      return [byMessageBox];
    default:
      return undefined;
  }
}

/** Tries one after another until one has shown it; else why none did, empty when there is nothing to show it with. */
export async function showFirst(
  notifiers: readonly Notifier[],
  notice: Notice,
  context: NotifyContext,
): Promise<Exclude<Shown, { kind: 'absent' }>> {
  const faults: string[] = [];
  for (const notify of notifiers) {
    if (context.signal.aborted) break;
    const shown = await notify(notice, context);
    if (shown.kind === 'shown') return shown;
    if (shown.kind === 'failed') faults.push(shown.why);
  }
  return { kind: 'failed', why: faults.join('; ') };
}
