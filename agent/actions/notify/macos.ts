import { stat } from 'node:fs/promises';
import { lastLine, runTool, type Tool } from '../system/tool.js';
import { limited, type Notice, type Notifier } from './notifier.js';

/** AppleScript that gets the texts as arguments, so that nothing in them is read as script (S-F-17). */
const SCRIPT = ['on run argv', 'display notification (item 2 of argv) with title (item 1 of argv)', 'end run'];

/** Notification Center (F-60); from a daemon in the session of whoever sits at the console. Not run on a Mac yet. */
export function byOsascript({ isRoot, console = '/dev/console' }: { isRoot: boolean; console?: string }): Notifier {
  return async (notice, { tools, signal, limitMs }) => {
    const owner = isRoot ? await stat(console).catch(() => undefined) : undefined;
    const run = await runTool(commandFor(notice, owner?.uid), tools, { signal: limited({ signal, limitMs }) });
    const uids = owner === undefined ? [] : [owner.uid];
    if (run.end.kind === 'exited' && run.end.exitCode === 0)
      return { kind: 'shown', message: 'Notification sent (macOS)', by: 'osascript', uids };
    if (run.end.kind === 'not_started') return { kind: 'failed', why: `osascript: ${run.end.errno}` };
    return { kind: 'failed', why: lastLine(run.stderr) || 'osascript failed and gave no reason' };
  };
}

function commandFor({ title, text }: Notice, uid: number | undefined): Tool {
  const args = [...SCRIPT.flatMap((line) => ['-e', line]), '--', title, text];
  if (uid === undefined) return { file: 'osascript', args };
  return {
    file: 'launchctl',
    args: ['asuser', String(uid), 'sudo', '-n', '-u', `#${uid}`, 'osascript', ...args],
  };
}
