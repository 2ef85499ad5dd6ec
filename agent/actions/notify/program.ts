import { lastLine, runTool } from '../system/tool.js';
import { limited, type Notifier } from './notifier.js';

/** Shows by the program of the owner's choice (`agent.message_program`). */
export function byProgram(file: string): Notifier {
  return async ({ title, text }, { tools, signal, limitMs }) => {
    const env = { MUSTER_MESSAGE_TITLE: title, MUSTER_MESSAGE_TEXT: text };
    const limit = limited({ signal, limitMs });
    const { end, stderr } = await runTool({ file, args: [title, text], env }, tools, { signal: limit });
    if (end.kind === 'exited' && end.exitCode === 0)
      return { kind: 'shown', message: `Message shown (${file})`, by: file, uids: [] };
    if (end.kind === 'not_started') return { kind: 'failed', why: `${file} could not be started (${end.errno})` };
    if (limit.aborted) return { kind: 'failed', why: `${file} did not end in time` };
    return { kind: 'failed', why: lastLine(stderr) || `${file} failed and gave no reason` };
  };
}
