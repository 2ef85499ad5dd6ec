import { z } from 'zod';
import type { Principal } from '../services.js';

const Holders = z.array(z.string());

/** People, as a column of the store holds them. */
export function readHolders(text: string): readonly string[] {
  return Holders.parse(JSON.parse(text));
}

/** The people of these lists, each once, as a column of the store holds them. */
export function writeHolders(...people: readonly (readonly string[])[]): string {
  return JSON.stringify([...new Set(people.flat())]);
}

/**
 * Everybody who may be behind a call: the person whose token came with it and who was shown that token, or who was shown
 * the token of the sandbox. Whoever makes a token for somebody else can ask or approve as them.
 */
export function peopleBehind({ id, role, token, sandbox }: Principal): readonly string[] {
  if (role === 'sandbox') return sandbox?.holders ?? [];
  return [...new Set([id, ...(token?.holders ?? [])])];
}
