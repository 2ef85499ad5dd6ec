import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { sha256Hex } from '../../protocol/envelope.js';
import { type AuditRow, walkAudit } from '../store/audit.js';
import type { Queries } from '../store/database.js';
import { CUT_MARGIN_MS, readDetails } from './details.js';
import type { SeeResult } from './executions.js';
import type { SeeInvocation } from './invocations.js';
import type { VerifyDeps } from './run.js';
import { createTally } from './tally.js';

/** The trail and the records tell the same. */
export type EventCheck = Readonly<{
  /** Takes a page of the trail: what it tells of has to be there, as it tells it. */
  look: (rows: readonly AuditRow[]) => Promise<void>;
  /** Takes a stored result: the trail has to tell of it. */
  see: SeeResult;
  /** Takes a stored invocation: the trail has to tell of that as well. */
  seeInvocation: SeeInvocation;
  /** After everything was looked at and seen. */
  finish: () => Promise<void>;
}>;

const MADE: ReadonlySet<string> = new Set(['invocation_created', 'invocation_pending', 'invocation_denied']);
const ENDED: ReadonlySet<string> = new Set(['execution_ended', 'local_execution']);
/** Nothing that is written meanwhile has a time further ahead than this. */
const YOUNG_MARGIN_MS = 60_000;

const ROWS_PER_PAGE = 500;

/** Whether the trail has to tell of a result that came and was asked for at these times. */
type IsResultCompared = (times: Readonly<{ receivedMs: number; askedMs: number }>) => boolean;

const MadeDetails = z.object({ action: z.string(), digest: z.string() });
const EndedDetails = z.object({ result_sha256: z.string() });
const LocalDetails = z.object({ invocation_id: z.string() });
const RemovedDetails = z.object({ execution_id: z.string().nullable() });

export function createEventCheck({ read, notes, beforeMs, clock, signal }: VerifyDeps): EventCheck {
  /** What the trail tells of and is not there, by what would take it away: an invocation or an execution id. */
  const missing = new Map<string, Readonly<{ seq: number; subject: string }>>();
  const results = createTally();
  const invocations = createTally();
  let fromMs: number | undefined;
  const isYoung = (ms: number): boolean => ms >= beforeMs && ms <= clock.nowMs() + YOUNG_MARGIN_MS;
  const isCompared = (ms: number): boolean => ms >= (fromMs ?? 0) && !isYoung(ms);
  // No result is older than what it answers: one that says so would hide before the beginning of the trail.
  const isResultCompared: IsResultCompared = ({ receivedMs, askedMs }) => isCompared(Math.max(receivedMs, askedMs));

  async function lookAtInvocations(rows: readonly AuditRow[]): Promise<void> {
    const made = rows.filter(({ event }) => MADE.has(event));
    if (made.length === 0) return;
    const ids = made.map(({ subject }) => idOf(subject));
    const stored = await read
      .selectFrom('invocations')
      .select(['id', 'action', 'digest', 'created_at'])
      .where('id', 'in', ids)
      .execute();
    const byId = new Map(stored.map((row) => [row.id, row]));
    for (const { seq, subject, details } of made) {
      const row = byId.get(idOf(subject));
      if (row === undefined) {
        missing.set(subject, { seq, subject });
        continue;
      }
      const said = readDetails(MadeDetails, details); // a later decision of a person has the digest alone
      if (said === undefined) continue;
      if (said.action !== row.action || said.digest !== row.digest) {
        notes.find('audit_events', subject, `row ${seq} of the audit trail tells of another ask`);
      }
      if (isCompared(row.created_at)) invocations.tell(sha256Hex(row.id));
    }
  }

  async function lookAtLocalOnes(rows: readonly AuditRow[]): Promise<void> {
    const ids = rows.flatMap((row) => localIdOf(row) ?? []);
    if (ids.length === 0) return;
    const stored = await read.selectFrom('invocations').select(['id', 'created_at']).where('id', 'in', ids).execute();
    for (const { id, created_at } of stored) if (isCompared(created_at)) invocations.tell(sha256Hex(id));
  }

  async function lookAtResults(rows: readonly AuditRow[]): Promise<void> {
    const ended = rows.filter(({ event }) => ENDED.has(event));
    if (ended.length === 0) return;
    const keys = ended.map(({ subject }) => idOf(subject).split('/'));
    const stored = await selectResults(read)
      .where('r.execution_id', 'in', [...new Set(keys.map(([id = '']) => id))])
      .where('r.node', 'in', [...new Set(keys.map(([, node = '']) => node))])
      .execute();
    const bySubject = new Map(stored.map((row) => [`execution:${row.execution_id}/${row.node}`, row]));
    for (const { seq, subject, details } of ended) {
      const row = bySubject.get(subject);
      const said = readDetails(EndedDetails, details);
      if (row === undefined) missing.set(`execution:${idOf(subject).split('/', 1)[0]}`, { seq, subject });
      else if (said?.result_sha256 !== row.payload_sha256) {
        notes.find('audit_events', subject, `row ${seq} of the audit trail tells of another result`);
      } else if (isResultCompared(timesOf(row))) results.tell(row.payload_sha256);
    }
  }

  function lookAtRemovals(rows: readonly AuditRow[]): void {
    for (const { event, subject, details } of rows) {
      if (event !== 'invocation_removed') continue;
      missing.delete(subject);
      const executionId = readDetails(RemovedDetails, details)?.execution_id ?? null;
      if (executionId !== null) missing.delete(`execution:${executionId}`);
    }
  }

  return {
    async look(rows) {
      const [first] = rows;
      if (first !== undefined) fromMs ??= first.seq === 1 ? 0 : first.at + CUT_MARGIN_MS;
      await lookAtInvocations(rows);
      await lookAtLocalOnes(rows);
      await lookAtResults(rows);
      lookAtRemovals(rows);
    },
    see({ sha256, receivedMs, askedMs }) {
      if (isResultCompared({ receivedMs, askedMs })) results.hold(sha256);
    },
    seeInvocation(id, createdMs) {
      if (isCompared(createdMs)) invocations.hold(sha256Hex(id));
    },
    async finish() {
      for (const { seq, subject } of missing.values()) {
        notes.find('audit_events', subject, `row ${seq} of the audit trail tells of it, and it is not there`);
      }
      if (signal?.aborted === true) return;
      if (!invocations.isSame) await nameUntold({ read, notes }, isCompared);
      if (!results.isSame) await nameDifferences({ read, notes }, isResultCompared);
    },
  };
}

/** Only when something differs: which invocations no row tells of. */
async function nameUntold(
  { read, notes }: Pick<VerifyDeps, 'read' | 'notes'>,
  isCompared: (createdMs: number) => boolean,
): Promise<void> {
  const told = new Set<string>();
  for await (const { rows } of walkAudit(read)) {
    for (const row of rows) {
      const isMade = MADE.has(row.event) && readDetails(MadeDetails, row.details) !== undefined;
      const id = isMade ? idOf(row.subject) : localIdOf(row);
      if (id !== undefined) told.add(id);
    }
  }
  for await (const { id, created_at } of walkInvocations(read)) {
    if (told.has(id) || !isCompared(created_at)) continue;
    notes.find('audit_events', `invocation:${id}`, 'no row of the audit trail tells of it');
  }
}

async function* walkInvocations(read: Queries): AsyncGenerator<Readonly<{ id: string; created_at: number }>> {
  let after = '';
  for (;;) {
    const rows = await read
      .selectFrom('invocations')
      .select(['id', 'created_at'])
      .where('id', '>', after)
      .orderBy('id')
      .limit(ROWS_PER_PAGE)
      .execute();
    const last = rows.at(-1);
    if (last === undefined) return;
    yield* rows;
    after = last.id;
    await setImmediate();
  }
}

/** The invocation of what somebody ran on a node itself; undefined for any other row. */
function localIdOf({ event, details }: AuditRow): string | undefined {
  return event === 'local_execution' ? readDetails(LocalDetails, details)?.invocation_id : undefined;
}

/** Only when something differs: which results no row tells of, and which rows tell of one result again. */
async function nameDifferences(
  { read, notes }: Pick<VerifyDeps, 'read' | 'notes'>,
  isResultCompared: IsResultCompared,
): Promise<void> {
  const told = new Map<string, string>();
  for await (const { rows } of walkAudit(read)) {
    for (const { seq, event, subject, details } of rows) {
      const sha256 = ENDED.has(event) ? readDetails(EndedDetails, details)?.result_sha256 : undefined;
      if (sha256 === undefined) continue;
      const before = told.get(sha256);
      if (before !== undefined) notes.find('audit_events', subject, `it ended twice: row ${seq} says so again`);
      told.set(sha256, subject);
    }
  }
  let after = { execution_id: '', node: '' };
  for (;;) {
    const { execution_id: id, node: of } = after;
    const rows = await selectResults(read)
      .where(({ eb, or, and }) =>
        or([eb('r.execution_id', '>', id), and([eb('r.execution_id', '=', id), eb('r.node', '>', of)])]),
      )
      .orderBy('r.execution_id')
      .orderBy('r.node')
      .limit(ROWS_PER_PAGE)
      .execute();
    const last = rows.at(-1);
    if (last === undefined) return;
    for (const row of rows) {
      const { execution_id, node, payload_sha256 } = row;
      if (!isResultCompared(timesOf(row)) || told.has(payload_sha256)) continue;
      notes.find('audit_events', `execution:${execution_id}/${node}`, 'no row of the audit trail tells of its result');
    }
    after = last;
    await setImmediate();
  }
}

function selectResults(read: Queries) {
  return read
    .selectFrom('results as r')
    .innerJoin('executions as e', (join) =>
      join.onRef('e.execution_id', '=', 'r.execution_id').onRef('e.node', '=', 'r.node'),
    )
    .innerJoin('invocations as i', 'i.id', 'e.invocation_id')
    .select(['r.execution_id', 'r.node', 'r.payload_sha256', 'r.received_at', 'i.created_at']);
}

function timesOf({ received_at, created_at }: Readonly<{ received_at: number; created_at: number }>) {
  return { receivedMs: received_at, askedMs: created_at };
}

/** `invocation:ID` → ID. */
function idOf(subject: string): string {
  return subject.slice(subject.indexOf(':') + 1);
}
