import { escapeText } from '../../../../runtime/terminal-text.js';
import type { InvocationView } from '../../../http/schemas.js';

/** What stands for a secret, also in the midst of a value. */
export const HIDDEN = '[redacted]';

/** Every parameter with its value as text; what is invisible in it, or reorders it, is spelled out. */
export function parametersOf({ parameters }: Pick<InvocationView, 'parameters'>): (readonly [string, string])[] {
  return Object.entries(parameters).map(([name, value]) => [
    name,
    escapeText(typeof value === 'string' ? value : JSON.stringify(value)),
  ]);
}
