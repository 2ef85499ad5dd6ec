import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from '../find-program.js';
import { lastLine, runTool, type ToolRun } from '../system/tool.js';
import { limited, type Notice, type Notifier, type NotifyContext, type Shown } from './notifier.js';
import type { Session } from './sessions.js';

/** How a program fared in the session of a user; no fault when it has shown the notice. */
type Tried = Readonly<{ uid: number; fault: string | undefined }>;

/** The desktop's own notifications (F-57). */
export function byNotifySend(sessions: () => Promise<readonly Session[]>): Notifier {
  return inSessions({
    file: 'notify-send',
    sessions,
    message: 'Notification sent (notify-send)',
    // A text may hold markup there, and ours holds none; and notify-send takes what follows a backslash in it for an escape.
    args: ({ title, text }) => ['--app-name=Muster', '--', title, escapeMarkup(text).replaceAll('\\', '\\\\')],
    hasShown: ({ end }) => end.kind === 'exited' && end.exitCode === 0,
  });
}

/** What zenity ends with when its `--timeout` is over: the window was there for that long. */
const ZENITY_TIMEOUT = 5;

/** A window that somebody closes, or that goes by itself a moment before the time of this way is over (F-58). */
export function byZenity(sessions: () => Promise<readonly Session[]>): Notifier {
  return inSessions({
    file: 'zenity',
    sessions,
    message: 'Dialog shown (zenity)',
    args: ({ title, text }, limitMs) => [
      ...['--info', '--no-markup', `--timeout=${Math.max(1, Math.floor(limitMs / 1000) - 1)}`],
      ...[`--title=${title}`, `--text=${text}`],
    ],
    // 0: the button; 1: closed by other means, or no display, which it complains of. One that we end may never have been seen.
    hasShown: ({ end, stderr }) =>
      end.kind === 'exited' &&
      (end.exitCode === 0 || end.exitCode === ZENITY_TIMEOUT || (end.exitCode === 1 && stderr.trim() === '')),
  });
}

function inSessions({
  file,
  sessions,
  message,
  args,
  hasShown,
}: {
  file: string;
  sessions: () => Promise<readonly Session[]>;
  message: string;
  args: (notice: Notice, limitMs: number) => readonly string[];
  hasShown: (run: ToolRun) => boolean;
}): Notifier {
  return async (notice, { tools, signal, limitMs }) => {
    if ((await findProgram(file, tools.path)) === undefined) return { kind: 'absent' };
    const limit = limited({ signal, limitMs });
    const tried = await Promise.all(
      (await sessions()).map(async ({ uid, user, env }): Promise<Tried> => {
        const run = await runTool({ file, args: args(notice, limitMs), env, user }, tools, { signal: limit });
        return { uid, fault: hasShown(run) ? undefined : faultOf(file, run) };
      }),
    );
    const uids = tried.flatMap(({ uid, fault }) => (fault === undefined ? [uid] : []));
    if (uids.length > 0) return { kind: 'shown', message, by: file, uids };
    return { kind: 'failed', why: tried[0]?.fault ?? `${file}: nobody is logged in` };
  };
}

function faultOf(file: string, { end, stderr }: ToolRun): string {
  if (end.kind === 'not_started') return `${file}: it could not be started (${end.errno})`;
  const complaint = lastLine(stderr);
  if (complaint !== '') return `${file}: ${complaint}`;
  return end.kind === 'signaled' ? `${file}: it did not end in time` : `${file}: exit code ${end.exitCode}`;
}

function escapeMarkup(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** The terminals of those who are logged in on one, for nodes without a desktop. */
export function byWall({ isRoot }: { isRoot: boolean }): Notifier {
  return async ({ title, text }, context): Promise<Shown> => {
    const { tools, signal, limitMs } = context;
    if ((await findProgram('wall', tools.path)) === undefined) return { kind: 'absent' };
    const terminals = await countTerminals(isRoot, context);
    if (terminals === 0) return { kind: 'absent' };
    // Two arguments: a single one that names a file would be read.
    const run = await runTool({ file: 'wall', args: ['--', title, `\n${text}`] }, tools, {
      signal: limited({ signal, limitMs }),
    });
    if (run.end.kind !== 'exited' || run.end.exitCode !== 0) return { kind: 'failed', why: faultOf('wall', run) };
    const where = terminals === 1 ? '1 terminal' : `${terminals} terminals`;
    return { kind: 'shown', message: `Message sent to ${where} (wall)`, by: 'wall', uids: [] };
  };
}

/** Those that would take it: `wall` says nothing of the others, and ends well when there are none. */
async function countTerminals(isRoot: boolean, { tools, signal, limitMs }: NotifyContext): Promise<number> {
  const { stdout } = await runTool({ file: 'who', args: [] }, tools, { signal: limited({ signal, limitMs }) });
  const names = stdout.split('\n').flatMap((line) => line.split(/\s+/)[1] ?? []);
  const open = await Promise.all(
    names.map(async (name) => {
      const mode = await stat(join('/dev', name)).then(
        (terminal) => (terminal.isCharacterDevice() ? terminal.mode : 0),
        () => 0,
      );
      return mode !== 0 && (isRoot || (mode & WRITABLE_BY_GROUP) !== 0);
    }),
  );
  return open.filter(Boolean).length;
}

/** What `mesg y` sets on a terminal. */
const WRITABLE_BY_GROUP = 0o020;
