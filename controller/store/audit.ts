import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { sha256Hex } from '../../protocol/envelope.js';
import { Sha256Hex } from '../../protocol/ids.js';
import { type Mask, NO_MASK } from '../../runtime/masking/mask.js';
import { fewSizesOf } from '../grouping.js';
import type { Queries, Trail } from './database.js';

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

const ROWS_PER_INSERT = 256;

/** The last row of the trail. */
export type AuditEnd = Readonly<{ seq: number; hash: string }>;

/** `prev_hash` of the first row. */
const AUDIT_ROOT = '0'.repeat(64);

/**
 * Adds rows to the chain, in the transaction of the change that they tell of. No registered value gets into it: what the
 * writer hands out has a mask, also where it is known as queries and no more.
 */
export async function appendAudit(
  tx: Queries & Readonly<{ mask?: Mask }> & Partial<Trail>,
  entries: readonly AuditEntry[],
): Promise<void> {
  if (entries.length === 0) return;
  const last = tx.trail === undefined ? await findAuditEnd(tx) : tx.trail.end;
  let previous = last ?? { seq: 0, hash: AUDIT_ROOT };
  const { mask = NO_MASK } = tx;
  const rows = entries.map(({ atMs, org, actor, event, subject, details = {} }) => {
    const unsealed = {
      seq: previous.seq + 1,
      at: atMs,
      org,
      actor: mask.typed(actor),
      event,
      subject: mask.typed(subject),
      details: JSON.stringify(mask.json(details)),
      prev_hash: previous.hash,
    };
    const row = { ...unsealed, hash: auditHash(unsealed) };
    previous = row;
    return row;
  });
  for (const part of fewSizesOf(rows, ROWS_PER_INSERT)) await tx.insertInto('audit').values(part).execute();
  if (tx.trail !== undefined) tx.trail.end = { seq: previous.seq, hash: previous.hash };
}

/** Where the trail ends; undefined while it is empty. */
export function findAuditEnd(queries: Queries): Promise<AuditEnd | undefined> {
  return queries.selectFrom('audit').select(['seq', 'hash']).orderBy('seq', 'desc').limit(1).executeTakeFirst();
}

/** SHA-256 over all columns but `hash`, as a JSON array in the order of the table. */
export function auditHash(row: Omit<AuditRow, 'hash'>): string {
  const { seq, at, org, actor, event, subject, details, prev_hash } = row;
  return sha256Hex(JSON.stringify([seq, at, org, actor, event, subject, details, prev_hash]));
}

/** What is wrong with the chain at one row. */
export type ChainFault = Readonly<{ seq: number; detail: string }>;

/** An event that says in the trail that its oldest rows were let go: `through` is the last of them, `hash` its hash. */
export const AUDIT_CUT = 'audit_cut';

const ROWS_PER_PAGE = 500;

/**
 * Walks the chain from its first row to its last, page by page, and gives each page with what is wrong in it: a row that
 * was altered, that does not follow the one before it, or before which some are missing. Rows may be missing at the
 * start when a later `audit_cut` says so; see `beginsWell`.
 */
export async function* walkAudit(
  read: Queries,
): AsyncGenerator<Readonly<{ rows: readonly AuditRow[]; faults: readonly ChainFault[] }>> {
  let previous: Pick<AuditRow, 'seq' | 'hash'> | undefined;
  for (;;) {
    let query = read.selectFrom('audit').selectAll();
    if (previous !== undefined) query = query.where('seq', '>', previous.seq); // the first may have any number
    const rows = await query.orderBy('seq').limit(ROWS_PER_PAGE).execute();
    if (rows.length === 0) return;
    const faults: ChainFault[] = [];
    for (const row of rows) {
      faults.push(...faultsOf(row, previous));
      previous = row;
    }
    yield { rows, faults };
    await setImmediate(); // the store answers without leaving the event loop: others get a turn
  }
}

function faultsOf(row: AuditRow, previous: Pick<AuditRow, 'seq' | 'hash'> | undefined): ChainFault[] {
  const { seq } = row;
  const faults: ChainFault[] = [];
  if (previous !== undefined && seq !== previous.seq + 1) {
    const gone = previous.seq + 1 === seq - 1 ? `row ${seq - 1} is` : `rows ${previous.seq + 1} to ${seq - 1} are`;
    faults.push({ seq, detail: `${gone} missing before it` });
  } else if (previous !== undefined && row.prev_hash !== previous.hash) {
    faults.push({ seq, detail: `it does not follow row ${previous.seq} as that is now` });
  }
  if (row.hash !== auditHash(row)) faults.push({ seq, detail: 'it was altered: its hash does not fit it' });
  return faults;
}

/** The `seq` of the first row that was altered, or that follows a removed or inserted one; undefined when all hold. */
export async function firstBrokenAuditRow(read: Queries): Promise<number | undefined> {
  let first: AuditRow | undefined;
  let cut: AuditCut | undefined;
  for await (const { rows, faults } of walkAudit(read)) {
    first ??= rows[0];
    cut = rows.reduce((newest, row) => readCut(row) ?? newest, cut);
    const [fault] = faults;
    if (fault !== undefined) return fault.seq;
  }
  return first === undefined || beginsWell(first, cut) ? undefined : first.seq;
}

/** What the trail says of its own beginning: the last row that was let go, and its hash. */
export type AuditCut = Readonly<z.infer<typeof AuditCut>>;
const AuditCut = z.object({ through: z.int(), hash: Sha256Hex });

/** What a row says of the rows that were let go; undefined when it is about anything else. */
export function readCut({ event, details }: Pick<AuditRow, 'event' | 'details'>): AuditCut | undefined {
  if (event !== AUDIT_CUT) return undefined;
  try {
    return AuditCut.parse(JSON.parse(details));
  } catch {
    return undefined; // altered: the chain says so
  }
}

/** Whether this is where the trail began, or where its newest cut left it. */
export function beginsWell({ seq, prev_hash }: AuditRow, cut: AuditCut | undefined): boolean {
  if (cut === undefined) return seq === 1 && prev_hash === AUDIT_ROOT;
  return seq === cut.through + 1 && prev_hash === cut.hash;
}
