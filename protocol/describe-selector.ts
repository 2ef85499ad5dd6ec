import type { Selector } from './selectors.js';

/** A selector in words, for people and logs: `nodes a, b`, `group pumps`, `labels site=north`, `the fleet`. */
export function describeSelector(selector: Selector): string {
  if ('fleet' in selector) return 'the fleet';
  if ('group' in selector) return `group ${selector.group}`;
  if ('labels' in selector)
    return `labels ${Object.entries(selector.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(', ')}`;
  const shown = selector.nodes.slice(0, 5).join(', ');
  return selector.nodes.length > 5 ? `nodes ${shown} and ${selector.nodes.length - 5} more` : `nodes ${shown}`;
}
