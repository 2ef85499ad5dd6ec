import { z } from 'zod';
import { MAX_LIFE_MS } from '../grants/make.js';
import { type GrantRow, grantDigest } from '../grants/rows.js';
import type { AuditRow } from '../store/audit.js';
import { readDetails } from './details.js';

const Made = z.object({ digest: z.string() });

/** What the trail says of a grant. Its row comes before those of its uses, so that what was cut off tells of none of them. */
export type ToldGrant = Readonly<{ org: string; digest: string; used: number; isRevoked: boolean }>;

/** What each event changes of it. */
export const GRANT_EVENTS: ReadonlyMap<string, (grants: Map<string, ToldGrant>, id: string, row: AuditRow) => void> =
  new Map([
    [
      'grant_created',
      (grants, id, { org, details }) => {
        const digest = readDetails(Made, details)?.digest;
        if (digest !== undefined) grants.set(id, { org, digest, used: 0, isRevoked: false });
      },
    ],
    ['grant_used', (grants, id) => mend(grants, id, (told) => ({ ...told, used: told.used + 1 }))],
    ['grant_revoked', (grants, id) => mend(grants, id, (told) => ({ ...told, isRevoked: true }))],
  ]);

function mend(grants: Map<string, ToldGrant>, id: string, change: (told: ToldGrant) => ToldGrant): void {
  const told = grants.get(id);
  if (told !== undefined) grants.set(id, change(told));
}

/** What a grant may that no grant may, or that the trail does not say it may; undefined stands for no row at all. */
export function grantFaults(row: GrantRow, told: ToldGrant | undefined): string[] {
  const faults: string[] = [];
  // Else one that says it is older than the trail would be good for ever, and nobody would miss its row.
  if (row.expires_at - row.created_at > MAX_LIFE_MS) faults.push('it is good for longer than any grant may be');
  if (told === undefined) return faults;
  if (told.org !== row.org) faults.push('it is of another org than the trail says');
  if (told.digest !== grantDigest(row)) faults.push('it approves other asks than the trail says');
  if (told.used !== row.used) faults.push(`it was used ${row.used} times, and the trail tells of ${told.used}`);
  if (told.isRevoked !== (row.revoked_at !== null)) faults.push('the trail says otherwise whether it was revoked');
  return faults;
}
