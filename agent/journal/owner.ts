import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Whose journal it is: stands in its first record, so that a copy on another machine is noticed. */
export type Owner = Readonly<{ machine: string; org: string; node: string }>;

/** Whether a journal's first record names this owner. */
export function isSameOwner(one: Owner, other: Owner): boolean {
  return one.machine === other.machine && one.org === other.org && one.node === other.node;
}

/** Tells machines apart without giving their id away; the same for all that have none. */
export function readMachine(): string {
  let id = '';
  try {
    id = readFileSync('/etc/machine-id', 'utf8').trim();
  } catch {
    // No machine id: a copied disk is then told by journal_seq alone.
  }
  return createHash('sha256').update(`muster-journal ${id}`).digest('hex').slice(0, 32);
}
