import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { sha256Hex } from '../../protocol/envelope.js';
import type { AuditRow } from '../store/audit.js';
import { readDetails } from './details.js';
import type { VerifyDeps } from './run.js';

const ROWS_PER_PAGE = 200;

const Ended = z.object({
  status: z.string(),
  error_code: z.string().nullable(),
  result_sha256: z.string().nullable(),
});
/** By invocation: how it ended, and which row of the trail says so. */
type Told = ReadonlyMap<string, z.infer<typeof Ended> & Readonly<{ seq: number }>>;

/** How actions of integrations ended, and what was answered, is what the trail tells of. */
export type ActionCheck = Readonly<{
  /** Takes a page of the trail. */
  look: (rows: readonly AuditRow[]) => Promise<void>;
  /** After the whole trail was looked at. */
  finish: () => Promise<void>;
}>;

export function createActionCheck({ read, notes, signal }: VerifyDeps): ActionCheck {
  /** By invocation: the row that tells of a result which is not there. */
  const missing = new Map<string, number>();

  async function compareEnds(told: Told): Promise<void> {
    const stored = await read
      .selectFrom('invocations')
      .select(['id', 'status', 'error_code'])
      .where('id', 'in', [...told.keys()])
      .execute();
    for (const { id, status, error_code } of stored) {
      const said = told.get(id);
      if (said === undefined || (said.status === status && said.error_code === error_code)) continue;
      const words = `row ${said.seq} of the audit trail says ${said.status}, and it is ${status}`;
      notes.find('audit_events', `invocation:${id}`, words);
    }
  }

  async function compareResults(told: Told): Promise<void> {
    const stored = await read
      .selectFrom('integration_results')
      .select(['invocation_id', 'sha256'])
      .where('invocation_id', 'in', [...told.keys()])
      .execute();
    const shaOf = new Map(stored.map(({ invocation_id, sha256 }) => [invocation_id, sha256]));
    for (const [id, { seq, result_sha256 }] of told) {
      if (result_sha256 === null) continue;
      if (!shaOf.has(id)) missing.set(id, seq);
      else if (shaOf.get(id) !== result_sha256) {
        notes.find('audit_events', `invocation:${id}`, `row ${seq} of the audit trail tells of another result`);
      }
    }
  }

  return {
    async look(rows) {
      const ends = rows.flatMap(({ event, subject, seq, details }) => {
        const said = event === 'action_ended' ? readDetails(Ended, details) : undefined;
        return said === undefined ? [] : [[idOf(subject), { ...said, seq }] as const];
      });
      const told = new Map(ends);
      if (told.size > 0) {
        await compareEnds(told);
        await compareResults(told);
      }
      for (const { event, subject } of rows) if (event === 'invocation_removed') missing.delete(idOf(subject));
    },
    async finish() {
      for (const [id, seq] of missing) {
        notes.find(
          'audit_events',
          `invocation:${id}`,
          `row ${seq} of the audit trail tells of a result that is not there`,
        );
      }
      let after = '';
      for (;;) {
        const rows = await read
          .selectFrom('integration_results')
          .selectAll()
          .where('invocation_id', '>', after)
          .orderBy('invocation_id')
          .limit(ROWS_PER_PAGE)
          .execute();
        const last = rows.at(-1);
        if (last === undefined || signal?.aborted === true) return;
        notes.count('results', rows.length);
        for (const { invocation_id, result, sha256 } of rows) {
          if (sha256Hex(result) === sha256) continue;
          notes.find('results', `invocation:${invocation_id}`, 'its hash is not the stored one');
        }
        after = last.invocation_id;
        await setImmediate();
      }
    },
  };
}

/** `invocation:ID` → ID. */
function idOf(subject: string): string {
  return subject.slice(subject.indexOf(':') + 1);
}
