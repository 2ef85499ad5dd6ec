import { escapeText } from '../../../../runtime/terminal-text.js';
import type { InvocationView } from '../../../http/schemas.js';

/** Every parameter with its value as text; what is invisible in it, or reorders it, is spelled out. */
export function parametersOf({ parameters }: Pick<InvocationView, 'parameters'>): (readonly [string, string])[] {
  return Object.entries(parameters).map(([name, value]) => [
    name,
    escapeText(typeof value === 'string' ? value : JSON.stringify(value)),
  ]);
}
