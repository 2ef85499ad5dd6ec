import { z } from 'zod';
import { escapeOutput, escapeText } from '../../../runtime/terminal-text.js';
import type { Action, ActionContext } from '../action.js';
import { type NotifySource, notifiersOf, showFirst } from '../notify/notifiers.js';
import type { Tools } from '../system/tool.js';
import { failed, invalidParameter, printJson } from './answers.js';

/** F-55. */
const DEFAULT_TITLE = 'DashFleet';
const DEFAULT_TEXT = 'No message';
/** In UTF-16 units. No screen shows more, and some of the programs take no more. */
const MAX_TITLE = 256;
const MAX_TEXT = 4_096;
/** For each way to show it (F-57, F-58). */
const NOTIFY_MS = 5_000;

/** What `message` prints. */
export const Message = z.object({
  message: z.string().describe('Such as `Notification sent (notify-send)`'),
  shown_by: z.string().describe('notify-send, zenity, wall, osascript, message box, or agent.message_program'),
  uids: z.array(z.int()).describe('Users in whose sessions it was shown, where that is known'),
});
export type Message = Readonly<z.infer<typeof Message>>;

/** Shows a message to whoever sits in front of the node (F-56…F-62), and says by what. */
export function message({
  source,
  tools,
  limitMs = NOTIFY_MS,
}: {
  source: NotifySource;
  tools: Tools;
  limitMs?: number;
}): Action {
  return {
    name: 'message',
    description: 'Shows a message to whoever sits in front of the node',
    risk: 'write',
    parameters: [
      {
        name: 'title',
        type: 'string',
        required: false,
        default: DEFAULT_TITLE,
        description: `At most ${MAX_TITLE} characters`,
      },
      { name: 'text', type: 'string', required: false, description: `At most ${MAX_TEXT} characters; else No message` },
      {
        name: 'message',
        type: 'string',
        required: false,
        description: 'The text, as POST /api/actions/queue names it',
      },
    ],
    prints: Message,
    async run({ parameters, output, signal }) {
      const title = textOf(parameters, ['title'], DEFAULT_TITLE);
      const text = textOf(parameters, ['text', 'message'], DEFAULT_TEXT);
      if (title.length > MAX_TITLE || text.length > MAX_TEXT)
        return invalidParameter(`title may have ${MAX_TITLE} characters, and text ${MAX_TEXT}`);
      const notifiers = notifiersOf(source);
      if (notifiers === undefined) return failed(output, `Unsupported OS: ${source.system.name}`);
      const notice = { title: escapeText(title), text: escapeOutput(text) };
      const shown = await showFirst(notifiers, notice, { tools, signal, limitMs });
      if (shown.kind === 'failed') return failed(output, sentenceOf(shown.why));
      printJson<Message>(output, { message: shown.message, shown_by: shown.by, uids: [...shown.uids] });
      return { kind: 'exited', exitCode: 0 };
    },
  };
}

/** The first of these parameters that says something. */
function textOf(parameters: ActionContext['parameters'], names: readonly string[], fallback: string): string {
  const given = names.map((name) => String(parameters.get(name) ?? '')).find((text) => text !== '');
  return given ?? fallback;
}

/** F-59 when there is nothing to show it with, else F-62. */
function sentenceOf(why: string): string {
  return why === ''
    ? 'No notification system found (install notify-send or zenity)'
    : `Message execution failed: ${why}`;
}
