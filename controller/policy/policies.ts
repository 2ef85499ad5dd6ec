import type { Queries } from '../store/database.js';
import { findPolicyRow, findPolicyVersion, type PolicyRow } from '../store/policies.js';
import type { Store } from '../store/store.js';
import { PolicyDocument, SHIPPED_POLICY } from './document.js';

/** The policy of an org at some moment; version 0 is the shipped one. */
export type PolicyInForce = Readonly<{ version: number; document: PolicyDocument }>;

/** What decisions are made by. The store alone knows what is in force, so that all controllers on it agree. */
export type Policies = Readonly<{
  /** Asks the store which version is in force; reads the policy itself only when it is another than before. */
  current: (org: string) => Promise<PolicyInForce>;
  /**
   * Judges by the policy that was in force when last looked at, without asking the store. What it refuses is judged
   * anew when another is in force by now; what it allows, its transaction holds against `isCurrent`.
   */
  judge: <T>(org: string, by: (policy: PolicyInForce) => T | Promise<T>) => Promise<T>;
  /** Whether this is in force as the transaction sees it. What was decided by another is to be decided anew. */
  isCurrent: (tx: Queries, org: string, policy: PolicyInForce) => Promise<boolean>;
}>;

export function createPolicies(store: Pick<Store, 'read'>): Policies {
  const known = new Map<string, PolicyInForce>();

  async function current(org: string): Promise<PolicyInForce> {
    const version = await findPolicyVersion(store.read, org);
    const last = known.get(org);
    if (last?.version === version) return last;
    const read = await readPolicy(store.read, org);
    known.set(org, read);
    return read;
  }

  return {
    current,
    async judge(org, by) {
      const last = known.get(org);
      if (last === undefined) return by(await current(org));
      try {
        return await by(last);
      } catch (error) {
        const now = await current(org);
        if (now === last) throw error;
        return by(now);
      }
    },
    isCurrent: async (tx, org, { version }) => (await findPolicyVersion(tx, org)) === version,
  };
}

/** The policy in force, as the queries see it. */
export async function readPolicy(queries: Queries, org: string): Promise<PolicyInForce> {
  const row = await findPolicyRow(queries, org);
  if (row === undefined) return { version: 0, document: SHIPPED_POLICY };
  return { version: row.version, document: readDocument(row) };
}

/** The policy of a stored version. */
export function readDocument({ document }: Pick<PolicyRow, 'document'>): PolicyDocument {
  return PolicyDocument.parse(JSON.parse(document));
}
