import { sha256Hex } from '../../protocol/envelope.js';
import type { Queries } from './database.js';

/** One change and who made it. `details` never holds parameters, output or secrets. */
export type AuditEntry = Readonly<{
  atMs: number;
  org: string;
  /** A principal, a node (`node:…`) or `controller`. */
  actor: string;
  event: string;
  subject: string;
  details?: Readonly<Record<string, string | number | boolean | null>>;
}>;

export type AuditRow = Readonly<{
  seq: number;
  at: number;
  org: string;
  actor: string;
  event: string;
  subject: string;
  details: string;
  prev_hash: string;
  hash: string;
}>;

const ROWS_PER_INSERT = 500;

/** `prev_hash` of the first row. */
const AUDIT_ROOT = '0'.repeat(64);

/** Adds rows to the chain, in the transaction of the change that they tell of. */
export async function appendAudit(tx: Queries, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  const last = await tx.selectFrom('audit').select(['seq', 'hash']).orderBy('seq', 'desc').limit(1).executeTakeFirst();
  let previous = { seq: last?.seq ?? 0, hash: last?.hash ?? AUDIT_ROOT };
  const rows = entries.map(({ atMs, org, actor, event, subject, details = {} }) => {
    const unsealed = {
      seq: previous.seq + 1,
      at: atMs,
      org,
      actor,
      event,
      subject,
      details: JSON.stringify(details),
      prev_hash: previous.hash,
    };
    const row = { ...unsealed, hash: auditHash(unsealed) };
    previous = row;
    return row;
  });
  for (let at = 0; at < rows.length; at += ROWS_PER_INSERT) {
    await tx
      .insertInto('audit')
      .values(rows.slice(at, at + ROWS_PER_INSERT))
      .execute();
  }
}

/** SHA-256 over all columns but `hash`, as a JSON array in the order of the table. */
export function auditHash(row: Omit<AuditRow, 'hash'>): string {
  const { seq, at, org, actor, event, subject, details, prev_hash } = row;
  return sha256Hex(JSON.stringify([seq, at, org, actor, event, subject, details, prev_hash]));
}

/** The `seq` of the first row that was altered, or that follows a removed or inserted one; undefined when all hold. */
export async function firstBrokenAuditRow(read: Queries): Promise<number | undefined> {
  let previous = { seq: 0, hash: AUDIT_ROOT };
  for (;;) {
    const rows = await read
      .selectFrom('audit')
      .selectAll()
      .where('seq', '>', previous.seq)
      .orderBy('seq')
      .limit(500)
      .execute();
    if (rows.length === 0) return undefined;
    for (const row of rows) {
      if (row.seq !== previous.seq + 1 || row.prev_hash !== previous.hash || row.hash !== auditHash(row))
        return row.seq;
      previous = row;
    }
  }
}
