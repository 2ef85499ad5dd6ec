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
import type { Logger } from '../../runtime/logger.js';
import { type AuditEnd, appendAudit, findAuditEnd } from './audit.js';
import type { Queries, Trail } from './database.js';

/** What the writer does with the end of the audit trail in each of its transactions. */
export type Seal = Readonly<{
  /** Before anything is changed: the trail has to end where it was signed to end. */
  begin: (tx: Queries & Trail) => Promise<void>;
  /** After everything was changed: signs where it ends now. */
  end: (tx: Queries & Trail) => Promise<void>;
  /** The transaction is on disk. */
  committed: () => void;
}>;

export type SealDeps = Readonly<{
  signing: () => SigningKey;
  keyOf: (kid: string) => KnownKey | undefined;
  clock: Clock;
  org: string;
  /** Where damage is told of at once; the trail has it in any case. */
  log?: Logger | undefined;
}>;

/** Why the end of the trail cannot be taken over as it was found. */
type Doubt = 'unsigned' | 'bad_head' | 'rows_gone' | 'rows_added' | 'rolled_back' | 'key_changed';

type Signed = Readonly<{ jws: string; head: AuditHead }>;
type Found = Readonly<{ head?: AuditHead; doubt?: Doubt }>;

/** Its key in the table `meta`. */
const HEAD = 'audit_head';
const ENVELOPE = { typ: 'muster-audit-head', maxBytes: 2 * 1024 } as const;

/**
 * Signs the end of the audit trail in the transaction that moves it, so that rows cut off at the end, rows added behind
 * our back and a trail that was written anew from some row on are noticed. What is found to be wrong with the end that
 * was signed last is audited itself (`audit_damaged`), before the transaction adds anything: a new signature must not
 * wash it away.
 */
export function createSeal(deps: SealDeps): Seal {
  /** What this process has read or signed last, and knows to be committed: it need not verify that again. */
  let known: Signed | undefined;
  /** What the transaction under way makes of it. */
  let next: Signed | undefined;
  /** Where the trail ended when it began, and what was wrong with that. */
  let before: AuditEnd | undefined;
  let damage: Doubt | undefined;

  async function find(tx: Queries, last: AuditEnd | undefined): Promise<Found> {
    const jws = await findJws(tx);
    if (jws === undefined) return (last ?? known) === undefined && !(await isUsed(tx)) ? {} : { doubt: 'unsigned' };
    if (known?.jws === jws) return { head: known.head };
    const found = judge(jws, deps.keyOf);
    const { head, doubt } = found;
    if (head === undefined || doubt !== undefined) return found;
    if (known !== undefined && head.seq <= known.head.seq) return { head, doubt: 'rolled_back' };
    next = { jws, head };
    return found;
  }

  return {
    async begin(tx) {
      next = undefined;
      before = await findAuditEnd(tx);
      tx.trail = { end: before };
      const { head, doubt } = await find(tx, before);
      damage = (await whatBecameOf(tx, head, before)) ?? doubt;
      if (damage !== undefined) await auditDamage(tx, deps, { reason: damage, head });
    },
    async end(tx) {
      const last = tx.trail?.end;
      if (last !== undefined && last.hash !== before?.hash) next = await sign(tx, deps, last);
    },
    committed() {
      known = next ?? known;
      if (damage !== undefined) deps.log?.error({ reason: damage }, 'audit trail does not end where it was signed to');
    },
  };
}

/** Whether the rows are those that were signed, up to the last of them and no further. */
async function whatBecameOf(
  tx: Queries,
  head: AuditHead | undefined,
  last: AuditEnd | undefined,
): Promise<Doubt | undefined> {
  if (head === undefined || head.hash === last?.hash) return undefined;
  return (await hashOf(tx, head.seq)) === head.hash ? 'rows_added' : 'rows_gone';
}

/** Whether anybody has worked with this store before. */
async function isUsed(tx: Queries): Promise<boolean> {
  const user = await tx.selectFrom('users').select('id').limit(1).executeTakeFirst();
  const node = await tx.selectFrom('nodes').select('node').limit(1).executeTakeFirst();
  return (user ?? node) !== undefined;
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

function judge(jws: string, keyOf: SealDeps['keyOf']): Found {
  try {
    return { head: openHead(jws, keyOf) };
  } catch (error) {
    if (!isMusterError(error)) throw error;
    const head = error.code === 'unknown_key' ? peekHead(jws) : undefined;
    return head === undefined ? { doubt: 'bad_head' } : { head, doubt: 'key_changed' };
  }
}

/** What a head says that no key of ours vouches for; undefined when it is none. */
function peekHead(jws: string): AuditHead | undefined {
  try {
    return parsePayload(AuditHead, peekPayload(jws, ENVELOPE).payload);
  } catch (error) {
    if (isMusterError(error)) return undefined;
    throw error;
  }
}

async function sign(tx: Queries, { signing, clock }: SealDeps, last: AuditEnd): Promise<Signed> {
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
  tx: Queries & Trail,
  { clock, org }: SealDeps,
  { reason, head }: { reason: Doubt; head: AuditHead | undefined },
): Promise<void> {
  const entry = { atMs: clock.nowMs(), org, actor: 'controller', event: 'audit_damaged', subject: 'audit' };
  return appendAudit(tx, [{ ...entry, details: { reason, seq: head?.seq ?? null, hash: head?.hash ?? null } }]);
}

async function hashOf(tx: Queries, seq: number): Promise<string | undefined> {
  return (await tx.selectFrom('audit').select('hash').where('seq', '=', seq).executeTakeFirst())?.hash;
}

async function findJws(queries: Queries): Promise<string | undefined> {
  const row = await queries.selectFrom('meta').select('value').where('key', '=', HEAD).executeTakeFirst();
  return row?.value;
}
