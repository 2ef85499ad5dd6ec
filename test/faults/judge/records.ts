import { join } from 'node:path';
import { ensureKeys } from '../../../controller/identity/keys.js';
import { createVault } from '../../../controller/integrations/vault.js';
import { openStore } from '../../../controller/store/store.js';
import type { Finding } from '../../../controller/verify/findings.js';
import { verifyStore } from '../../../controller/verify/run.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';

/** What a controller has left in its store of one invocation. */
export type InvocationRecord = Readonly<{
  id: string;
  status: string;
  /** How many executions belong to it. */
  executions: number;
  /** How many rows of the audit trail tell that it was made. */
  made: number;
  /** How many tell that a person, or the policy in their place, has decided about it. */
  decided: number;
}>;

/** What is left in the store, and what `muster verify` says of it. */
export type Records = Readonly<{
  invocations: readonly InvocationRecord[];
  findings: readonly Finding[];
  /** Rows of the audit trail that were looked at. */
  auditRows: number;
}>;

const MADE = ['invocation_created', 'invocation_pending'];
const DECIDED = ['invocation_approved', 'invocation_denied'];

/** Reads the store of a controller that has ended. `controllerDir` holds its keys. */
export async function readRecords(place: string, controllerDir: string): Promise<Records> {
  const { list } = ensureKeys(join(controllerDir, 'controller'), 'default', SYSTEM_CLOCK);
  const store = await openStore(place);
  try {
    const { read } = store;
    const report = await verifyStore({
      ...{ read, keyOf: (kid) => list.keys.get(kid), clock: SYSTEM_CLOCK },
      vault: createVault(join(controllerDir, 'controller')),
      beforeMs: Number.POSITIVE_INFINITY,
    });
    const rows = await read.selectFrom('invocations').select(['id', 'status']).execute();
    const executions = await read.selectFrom('executions').select('invocation_id').execute();
    const audit = await read
      .selectFrom('audit')
      .select(['event', 'subject'])
      .where('event', 'in', [...MADE, ...DECIDED])
      .execute();
    const executionsOf = countBy(executions, ({ invocation_id }) => invocation_id);
    const eventsOf = countBy(audit, ({ event, subject }) => `${kindOf(event)} ${subject.slice('invocation:'.length)}`);
    return {
      invocations: rows.map(({ id, status }) => ({
        ...{ id, status, executions: executionsOf(id) },
        ...{ made: eventsOf(`made ${id}`), decided: eventsOf(`decided ${id}`) },
      })),
      findings: report.findings,
      auditRows: report.checked.audit_rows,
    };
  } finally {
    await store.close();
  }
}

function kindOf(event: string): 'made' | 'decided' {
  return MADE.includes(event) ? 'made' : 'decided';
}

function countBy<T>(rows: readonly T[], keyOf: (row: T) => string): (key: string) => number {
  const counts = new Map<string, number>();
  for (const row of rows) counts.set(keyOf(row), (counts.get(keyOf(row)) ?? 0) + 1);
  return (key) => counts.get(key) ?? 0;
}
