import { isMusterError } from '../../protocol/errors.js';
import { type AuditCut, type AuditRow, beginsWell, readCut, walkAudit } from '../store/audit.js';
import { readHead } from '../store/audit-seal.js';
import type { VerifyDeps } from './run.js';

/** A point of the trail that somebody kept: the row with this number has to have this hash. */
export type KeptHead = Readonly<{ seq: number; hash: string }>;

/**
 * The audit trail is whole: every row follows the one before it, it begins at its beginning or where it was cut, and it
 * ends where the controller signed that it ends. `look` sees each page of rows once.
 */
export async function checkAuditTrail(
  { read, keyOf, notes, kept }: VerifyDeps,
  look: (rows: readonly AuditRow[]) => Promise<void>,
): Promise<void> {
  let first: AuditRow | undefined;
  let last: AuditRow | undefined;
  let cut: AuditCut | undefined;
  let isKeptSeen = false;
  for await (const { rows, faults } of walkAudit(read)) {
    first ??= rows[0];
    last = rows.at(-1);
    notes.count('audit_rows', rows.length);
    for (const { seq, detail } of faults) notes.find('audit_chain', `audit:${seq}`, detail);
    for (const row of rows) {
      cut = readCut(row) ?? cut;
      isKeptSeen ||= row.seq === kept?.seq && row.hash === kept.hash;
      if (row.event === 'audit_damaged') noteDamage(notes, row);
    }
    await look(rows);
  }
  if (first !== undefined && !beginsWell(first, cut)) {
    notes.find(
      'audit_chain',
      `audit:${first.seq}`,
      'rows are missing before it, and no row says that they were let go',
    );
  }
  if (kept !== undefined && !isKeptSeen && kept.seq > (cut?.through ?? 0)) {
    notes.find('audit_head', `audit:${kept.seq}`, 'it is not there, or not with the hash that you kept');
  }
  await checkEnd({ read, keyOf, notes }, last);
}

/** Rows and their signature are committed together, so a signature read after the rows is never older than they. */
async function checkEnd(
  { read, keyOf, notes }: Pick<VerifyDeps, 'read' | 'keyOf' | 'notes'>,
  last: AuditRow | undefined,
): Promise<void> {
  try {
    const head = await readHead(read, keyOf);
    if (head === undefined) {
      if (last !== undefined) notes.find('audit_head', `audit:${last.seq}`, 'nobody has signed where the trail ends');
      return;
    }
    const subject = `audit:${head.seq}`;
    const row = await read.selectFrom('audit').select('hash').where('seq', '=', head.seq).executeTakeFirst();
    if (row === undefined) notes.find('audit_head', subject, 'the trail was signed up to it, and it is not there');
    else if (row.hash !== head.hash) notes.find('audit_head', subject, 'it is not the row that was signed');
    if (last !== undefined && last.seq > head.seq) {
      notes.find('audit_head', `audit:${last.seq}`, `the trail was signed up to row ${head.seq}, and goes on without`);
    }
  } catch (error) {
    if (!isMusterError(error)) throw error;
    notes.find('audit_head', 'audit', `the signature of its end does not hold: ${error.message}`);
  }
}

/** What the controller itself noticed, and wrote into the trail. */
function noteDamage({ find }: VerifyDeps['notes'], { seq, at, details }: AuditRow): void {
  const when = new Date(at).toISOString();
  find('audit_head', `audit:${seq}`, `on ${when} the controller did not find the end as it had signed it: ${details}`);
}
