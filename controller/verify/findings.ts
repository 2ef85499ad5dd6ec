import { z } from 'zod';
import { Sha256Hex, Time } from '../../protocol/ids.js';

/** What is looked at. */
export const CHECKS = [
  'audit_chain',
  'audit_head',
  'audit_events',
  'access',
  'requests',
  'results',
  'executions',
  'invocations',
] as const;

/** One thing that is not as it should be; `subject` names the record as the audit trail does. */
export const Finding = z.object({ check: z.enum(CHECKS), subject: z.string(), detail: z.string() });
export type Finding = Readonly<z.infer<typeof Finding>>;

/** What came of looking at everything. */
export const VerifyReport = z.object({
  ok: z.boolean().describe('True when there is no finding'),
  started_at: Time,
  finished_at: Time,
  head: z
    .object({ seq: z.int(), hash: Sha256Hex, at: Time })
    .nullable()
    .describe('Where the audit trail ends, as the controller signed it; keep it, and hold a later trail against it'),
  checked: z.object({
    audit_rows: z.int(),
    access: z.int().describe('Users, tokens, keys of nodes and versions of the policy'),
    requests: z.int(),
    results: z.int(),
    executions: z.int(),
    invocations: z.int(),
  }),
  findings: z.array(Finding).describe('The first 1,000'),
  findings_total: z.int(),
});
export type VerifyReport = Readonly<z.infer<typeof VerifyReport>>;

export type Counted = keyof VerifyReport['checked'];

const MAX_LISTED = 1_000;

/** Where the checks write down what they see. */
export type Notes = Readonly<{
  find: (check: Finding['check'], subject: string, detail: string) => void;
  count: (what: Counted, by: number) => void;
  checked: Record<Counted, number>;
  findings: readonly Finding[];
  readonly total: number;
}>;

export function createNotes(): Notes {
  const checked = { audit_rows: 0, access: 0, requests: 0, results: 0, executions: 0, invocations: 0 };
  const findings: Finding[] = [];
  let total = 0;
  return {
    find(check, subject, detail) {
      total += 1;
      if (findings.length < MAX_LISTED) findings.push({ check, subject, detail });
    },
    count(what, by) {
      checked[what] += by;
    },
    checked,
    findings,
    get total() {
      return total;
    },
  };
}
