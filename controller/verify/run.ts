import type { KnownKey } from '../../protocol/envelope.js';
import { isMusterError } from '../../protocol/errors.js';
import { type Clock, toTime } from '../../runtime/clock.js';
import type { Vault } from '../integrations/vault.js';
import { readHead } from '../store/audit-seal.js';
import type { Queries } from '../store/database.js';
import { createAccessCheck } from './access.js';
import { createActionCheck } from './action-results.js';
import { checkAuditTrail, type KeptHead } from './audit-trail.js';
import { createEventCheck } from './events.js';
import { checkExecutions } from './executions.js';
import { createNotes, type Notes, type VerifyReport } from './findings.js';
import { checkInvocations } from './invocations.js';
import { checkRequests } from './requests.js';

export type VerifyDeps = Readonly<{
  read: Queries;
  /** The keys of the key list, by which the end of the trail is signed. */
  keyOf: (kid: string) => KnownKey | undefined;
  /** Opens what was sealed since a registered value was in it. */
  vault: Pick<Vault, 'open'>;
  notes: Notes;
  /** Records that were stored after this are still being written; milliseconds since 1970. */
  beforeMs: number;
  kept?: KeptHead | undefined;
  clock: Clock;
  signal?: AbortSignal | undefined;
}>;

/**
 * Holds the records of an installation against the promises: the audit trail is whole up to its signed end, it tells
 * the same as the records, each result is its node's word for exactly what was asked, and each state follows from what
 * is stored. Others may write meanwhile.
 */
export async function verifyStore(deps: Omit<VerifyDeps, 'notes'>): Promise<VerifyReport> {
  const { clock, read, keyOf } = deps;
  const startedMs = clock.nowMs();
  const notes = createNotes();
  const shared: VerifyDeps = { ...deps, notes };

  const access = await createAccessCheck(shared);
  const events = createEventCheck(shared);
  const actions = createActionCheck(shared);
  await checkAuditTrail(shared, async (rows) => {
    access.look(rows);
    await events.look(rows);
    await actions.look(rows);
  });
  access.finish();
  await checkRequests(shared);
  await checkExecutions(shared, events.see);
  await checkInvocations(shared, events.seeInvocation);
  await events.finish();
  await actions.finish();

  const { seq, hash, at } = (await headOf(read, keyOf)) ?? {};
  return {
    ok: notes.total === 0,
    started_at: toTime(startedMs),
    finished_at: toTime(clock.nowMs()),
    head: seq === undefined || hash === undefined || at === undefined ? null : { seq, hash, at },
    checked: { ...notes.checked },
    findings: [...notes.findings],
    findings_total: notes.total,
  };
}

/** A head that does not hold is a finding already. */
async function headOf(read: Queries, keyOf: VerifyDeps['keyOf']) {
  try {
    return await readHead(read, keyOf);
  } catch (error) {
    if (isMusterError(error)) return undefined;
    throw error;
  }
}
