import { AuditHead } from '../../protocol/audit-head.js';
import {
  type KnownKey,
  openEnvelope,
  parsePayload,
  peekPayload,
  type SigningKey,
  signEnvelope,
} from '../../protocol/envelope.js';
import { isMusterError } from '../../protocol/errors.js';
import { type Clock, toTime } from '../../runtime/clock.js';
import { appendAudit } from './audit.js';
import type { Queries } from './database.js';

/** Runs at the end of each transaction, before its commit. */
export type Seal = (tx: Queries) => Promise<void>;

export type SealDeps = Readonly<{
  signing: () => SigningKey;
  keyOf: (kid: string) => KnownKey | undefined;
  clock: Clock;
  org: string;
}>;

/** Why the end of the trail cannot be taken over as it was found. */
type Doubt = 'unsigned' | 'bad_head' | 'rows_gone' | 'key_changed';

type Signed = Readonly<{ jws: string; head: AuditHead }>;

/** Its key in the table `meta`. */
const HEAD = 'audit_head';
const ENVELOPE = { typ: 'muster-audit-head', maxBytes: 2 * 1024 } as const;

/**
 * Signs the end of the audit trail in the transaction that moves it, so that rows cut off at the end, rows added behind
 * our back and a trail that was written anew from some row on are noticed. What is found to be wrong with the end that
 * was signed last is audited itself (`audit_damaged`): a new signature must not wash it away.
 */
export function createSeal(deps: SealDeps): Seal {
  /** What this process has read or signed last: it need not verify that again. */
  let known: Signed | undefined;
  let wasEmpty = false;

  async function find(tx: Queries): Promise<Readonly<{ head?: AuditHead; doubt?: Doubt }>> {
    const jws = await findJws(tx);
    if (jws === undefined) return wasEmpty ? {} : { doubt: 'unsigned' };
    if (known?.jws === jws) return { head: known.head };
    const found = judge(jws, deps.keyOf);
    if (found.head !== undefined && found.doubt === undefined) known = { jws, head: found.head };
    return found;
  }

  return async (tx) => {
    const last = await findLast(tx);
    if (last === undefined) wasEmpty = true;
    const { head, doubt } = await find(tx);
    if (last === undefined && head === undefined) return;
    if (doubt === undefined && head !== undefined && head.hash === last?.hash) return;
    const isHeld = head === undefined || (await hashOf(tx, head.seq)) === head.hash;
    const reason = isHeld ? doubt : 'rows_gone';
    if (reason !== undefined) await auditDamage(tx, deps, { reason, head });
    known = await signLast(tx, deps);
    wasEmpty = false;
  };
}

/**
 * What the stored head says; undefined when there is none.
 * @throws {MusterError} a refusal of openEnvelope or parsePayload
 */
export async function readHead(read: Queries, keyOf: SealDeps['keyOf']): Promise<AuditHead | undefined> {
  const jws = await findJws(read);
  return jws === undefined ? undefined : openHead(jws, keyOf);
}

function openHead(jws: string, keyOf: SealDeps['keyOf']): AuditHead {
  return parsePayload(AuditHead, openEnvelope(jws, { ...ENVELOPE, keyOf }).payload);
}

function judge(jws: string, keyOf: SealDeps['keyOf']): Readonly<{ head?: AuditHead; doubt?: Doubt }> {
  try {
    return { head: openHead(jws, keyOf) };
  } catch (error) {
    if (!isMusterError(error)) throw error;
    if (error.code !== 'unknown_key') return { doubt: 'bad_head' };
    return { head: parsePayload(AuditHead, peekPayload(jws, ENVELOPE).payload), doubt: 'key_changed' };
  }
}

async function signLast(tx: Queries, { signing, clock }: SealDeps): Promise<Signed | undefined> {
  const last = await findLast(tx);
  if (last === undefined) return undefined;
  const head: AuditHead = { v: 1, ...last, at: toTime(clock.nowMs()) };
  const jws = signEnvelope('muster-audit-head', JSON.stringify(head), signing());
  await tx
    .insertInto('meta')
    .values({ key: HEAD, value: jws })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value: jws }))
    .execute();
  return { jws, head };
}

function auditDamage(
  tx: Queries,
  { clock, org }: SealDeps,
  { reason, head }: { reason: Doubt; head: AuditHead | undefined },
): Promise<void> {
  const entry = { atMs: clock.nowMs(), org, actor: 'controller', event: 'audit_damaged', subject: 'audit' };
  return appendAudit(tx, [{ ...entry, details: { reason, seq: head?.seq ?? null, hash: head?.hash ?? null } }]);
}

function findLast(tx: Queries): Promise<{ seq: number; hash: string } | undefined> {
  return tx.selectFrom('audit').select(['seq', 'hash']).orderBy('seq', 'desc').limit(1).executeTakeFirst();
}

async function hashOf(tx: Queries, seq: number): Promise<string | undefined> {
  return (await tx.selectFrom('audit').select('hash').where('seq', '=', seq).executeTakeFirst())?.hash;
}

async function findJws(queries: Queries): Promise<string | undefined> {
  const row = await queries.selectFrom('meta').select('value').where('key', '=', HEAD).executeTakeFirst();
  return row?.value;
}
