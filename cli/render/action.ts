import type { InvocationAnswer } from '../../controller/http/schemas.js';
import { escapeText, toJson } from '../../runtime/terminal-text.js';

/** The end of an integration's action: what the system answered, then how it ended. */
export function renderAction(answer: InvocationAnswer): string {
  const { invocation, result, result_truncated } = answer;
  const { action, target, status, error } = invocation;
  const name = 'integration' in target ? `${target.integration}/${action}` : action;
  const shown = 'result' in answer ? `${toJson(result)}\n` : '';
  const cut = result_truncated === true ? '[there was more: 10 KB of it are kept]\n' : '';
  return `${shown}${cut}${escapeText(`${name}: ${status}${error === null ? '' : `, ${error}`}`)}\n`;
}
