import { z } from 'zod';

/** A glob over action names: `*` stands for any characters or none, `?` for one. */
export const ActionPattern = z
  .string()
  .regex(/^[A-Za-z0-9_.*?/-]{1,127}$/, 'must be an action name, in which * and ? may stand for others')
  .describe('Name of an action; `*` stands for any characters or none, `?` for one');

/** True when one of the patterns is for this name. Takes no longer than pattern × name, whatever they are. */
export function fitsAny(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => fits(pattern, name));
}

/** Only the last star is ever gone back to: what those before it have taken need not be looked at again. */
function fits(pattern: string, name: string): boolean {
  let at = 0;
  let star: Readonly<{ pattern: number; name: number }> | undefined;
  let inPattern = 0;
  while (at < name.length) {
    const sign = pattern[inPattern];
    if (sign === '*') {
      star = { pattern: inPattern, name: at };
      inPattern += 1;
    } else if (sign === '?' || sign === name[at]) {
      inPattern += 1;
      at += 1;
    } else if (star !== undefined) {
      star = { pattern: star.pattern, name: star.name + 1 };
      inPattern = star.pattern + 1;
      at = star.name;
    } else return false;
  }
  return /^\**$/.test(pattern.slice(inPattern));
}
