import { z } from 'zod';
import type { Question } from '../policy/decide.js';
import { fitsAny } from '../policy/glob.js';
import type { GrantRow } from './rows.js';

/** So many different things may stand behind the names of one grant. */
const MAX_DEFINITIONS = 200;

const Patterns = z.array(z.string());
const Known = z.array(z.tuple([z.string(), z.array(z.string())]));

/** The patterns of action names of a grant. */
export function readActions({ actions }: Pick<GrantRow, 'actions'>): readonly string[] {
  return Patterns.parse(JSON.parse(actions));
}

/** True for what stands for more than one name. */
export function isWildcard(pattern: string): boolean {
  return /[*?]/.test(pattern);
}

/**
 * Name of an action → SHA-256 of everything that stands behind it, as a column of the store holds it; undefined when that
 * is more than a grant remembers.
 */
export function writeDefinitions(known: ReadonlyMap<string, readonly string[]>): string | undefined {
  const count = [...known.values()].reduce((sum, { length }) => sum + length, 0);
  return count > MAX_DEFINITIONS ? undefined : JSON.stringify([...known]);
}

/** What is said when it is more. */
export const TOO_DIFFERENT = `More than ${MAX_DEFINITIONS} different hooks or actions stand behind it: grant fewer nodes or names`;

/**
 * Whether a grant is for what an ask would do. A pattern with `*` or `?` is for whatever is called so; a name is for what
 * stood behind it when the grant was made, and not for what came in its place (S-A-42).
 */
export function isForAction(
  grant: Pick<GrantRow, 'actions' | 'definitions'>,
  name: string,
  { definitions }: Pick<Question, 'definitions'>,
): boolean {
  const patterns = readActions(grant);
  if (fitsAny(patterns.filter(isWildcard), name)) return true;
  if (!patterns.includes(name)) return false;
  const known = new Set(readDefinitions(grant).get(name));
  const would = definitions?.() ?? [];
  return would.length > 0 && would.every((each) => known.has(each));
}

function readDefinitions({ definitions }: Pick<GrantRow, 'definitions'>): ReadonlyMap<string, readonly string[]> {
  return new Map(Known.parse(JSON.parse(definitions ?? '[]')));
}
