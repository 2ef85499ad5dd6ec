import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { type AuditRow, walkAudit } from '../store/audit.js';
import { CUT_MARGIN_MS, readDetails } from './details.js';
import type { SeeResult } from './executions.js';
import type { VerifyDeps } from './run.js';

/** The trail and the records tell the same. */
export type EventCheck = Readonly<{
  /** Takes a page of the trail: what it tells of has to be there, as it tells it. */
  look: (rows: readonly AuditRow[]) => Promise<void>;
  /** Takes a stored result: the trail has to tell of it. */
  see: SeeResult;
  /** After everything was looked at and seen. */
  finish: () => Promise<void>;
}>;

const MADE: ReadonlySet<string> = new Set(['invocation_created', 'invocation_pending', 'invocation_denied']);
const ENDED: ReadonlySet<string> = new Set(['execution_ended', 'local_execution']);
const ROWS_PER_PAGE = 500;

const MadeDetails = z.object({ action: z.string(), digest: z.string() });
const EndedDetails = z.object({ result_sha256: z.string() });
const RemovedDetails = z.object({ execution_id: z.string().nullable() });

/** The same set of hashes has the same sum, in whatever order they come: a million of them need no memory. */
type Sum = { count: number; a: number; b: number };

export function createEventCheck({ read, notes, beforeMs, signal }: VerifyDeps): EventCheck {
  /** What the trail tells of and is not there, by what would take it away: an invocation or an execution id. */
  const missing = new Map<string, Readonly<{ seq: number; subject: string }>>();
  const told: Sum = { count: 0, a: 0, b: 0 };
  const held: Sum = { count: 0, a: 0, b: 0 };
  let fromMs: number | undefined;
  const isCompared = (receivedMs: number): boolean => receivedMs >= (fromMs ?? 0) && receivedMs < beforeMs;

  async function lookAtInvocations(rows: readonly AuditRow[]): Promise<void> {
    const made = rows.filter(({ event }) => MADE.has(event));
    if (made.length === 0) return;
    const ids = made.map(({ subject }) => idOf(subject));
    const stored = await read
      .selectFrom('invocations')
      .select(['id', 'action', 'digest'])
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
      if (said !== undefined && (said.action !== row.action || said.digest !== row.digest)) {
        notes.find('audit_events', subject, `row ${seq} of the audit trail tells of another ask`);
      }
    }
  }

  async function lookAtResults(rows: readonly AuditRow[]): Promise<void> {
    const ended = rows.filter(({ event }) => ENDED.has(event));
    if (ended.length === 0) return;
    const keys = ended.map(({ subject }) => idOf(subject).split('/'));
    const stored = await read
      .selectFrom('results')
      .select(['execution_id', 'node', 'payload_sha256', 'received_at'])
      .where('execution_id', 'in', [...new Set(keys.map(([id = '']) => id))])
      .where('node', 'in', [...new Set(keys.map(([, node = '']) => node))])
      .execute();
    const bySubject = new Map(stored.map((row) => [`execution:${row.execution_id}/${row.node}`, row]));
    for (const { seq, subject, details } of ended) {
      const row = bySubject.get(subject);
      const said = readDetails(EndedDetails, details);
      if (row === undefined) missing.set(`execution:${idOf(subject).split('/', 1)[0]}`, { seq, subject });
      else if (said?.result_sha256 !== row.payload_sha256) {
        notes.find('audit_events', subject, `row ${seq} of the audit trail tells of another result`);
      } else if (isCompared(row.received_at)) add(told, row.payload_sha256);
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
      await lookAtResults(rows);
      lookAtRemovals(rows);
    },
    see({ sha256, receivedMs }) {
      if (isCompared(receivedMs)) add(held, sha256);
    },
    async finish() {
      for (const { seq, subject } of missing.values()) {
        notes.find('audit_events', subject, `row ${seq} of the audit trail tells of it, and it is not there`);
      }
      const isSame = told.count === held.count && told.a === held.a && told.b === held.b;
      if (!isSame && signal?.aborted !== true) await nameDifferences({ read, notes }, isCompared);
    },
  };
}

/** Only when something differs: which results no row tells of, and which rows tell of one result again. */
async function nameDifferences(
  { read, notes }: Pick<VerifyDeps, 'read' | 'notes'>,
  isCompared: (receivedMs: number) => boolean,
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
    const rows = await read
      .selectFrom('results')
      .select(['execution_id', 'node', 'payload_sha256', 'received_at'])
      .where(({ eb, or, and }) =>
        or([eb('execution_id', '>', id), and([eb('execution_id', '=', id), eb('node', '>', of)])]),
      )
      .orderBy('execution_id')
      .orderBy('node')
      .limit(ROWS_PER_PAGE)
      .execute();
    const last = rows.at(-1);
    if (last === undefined) return;
    for (const { execution_id, node, payload_sha256, received_at } of rows) {
      if (!isCompared(received_at) || told.has(payload_sha256)) continue;
      notes.find('audit_events', `execution:${execution_id}/${node}`, 'no row of the audit trail tells of its result');
    }
    after = last;
    await setImmediate();
  }
}

function add(sum: Sum, sha256: string): void {
  sum.count += 1;
  sum.a ^= Number.parseInt(sha256.slice(0, 8), 16);
  sum.b ^= Number.parseInt(sha256.slice(8, 16), 16);
}

/** `invocation:ID` → ID. */
function idOf(subject: string): string {
  return subject.slice(subject.indexOf(':') + 1);
}
