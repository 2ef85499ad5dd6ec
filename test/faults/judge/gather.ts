import { openJournal } from '../../../agent/journal/journal.js';
import { firstBrokenAuditRow } from '../../../controller/store/audit.js';
import { openStore } from '../../../controller/store/store.js';
import { sha256Hex } from '../../../protocol/envelope.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import type { PatientApi } from '../rig/api.js';
import type { Load } from '../rig/load.js';
import type { Accepted, Evidence, JournalFact, Outcome } from './evidence.js';

const OPEN_STATUSES: readonly string[] = ['held', 'queued', 'sent', 'accepted'];
/** More than a run ever writes: nothing is forgotten while it is read. */
const JOURNAL_BYTES = 64 * 1024 * 1024 * 1024;
const NOT_BELIEVED: readonly string[] = ['message_refused', 'journal_lost', 'store_older_than_node'];

/** What the controller says of all that was accepted. */
export async function readOutcomes(load: Load, api: PatientApi): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  for (const accepted of load.accepted) {
    const view = await load.look(accepted.executionId);
    if (view === undefined) continue;
    outcomes.set(accepted.executionId, {
      status: view.status,
      ended: !OPEN_STATUSES.includes(view.status),
      provisional: view.provisional,
      reason: view.reason,
      exitCode: view.exit_code,
      errorCode: view.error_code,
      error: view.error,
      launched: view.launched,
      stdout: await readStdout(api, accepted),
      endMs: earliest(view.finished_at, view.received_at),
    });
  }
  return outcomes;
}

function earliest(...times: readonly (string | null)[]): number | undefined {
  const all = times.flatMap((time) => (time === null ? [] : [Date.parse(time)]));
  return all.length === 0 ? undefined : Math.min(...all);
}

async function readStdout(api: PatientApi, { invocationId, node }: Accepted): Promise<Outcome['stdout']> {
  const { status, headers, bytes } = await api.call('GET', `/invocations/${invocationId}/executions/${node}/output`);
  if (status !== 200) return undefined;
  return {
    bytes,
    complete: headers.get('muster-output-complete') === 'true',
    truncated: headers.get('muster-output-truncated') === 'true',
  };
}

/** The journal that an agent has left, by execution id; undefined when it cannot be opened. */
export async function readJournal(
  directory: string,
  { org, node, ids }: { org: string; node: string; ids: readonly string[] },
): Promise<Map<string, JournalFact> | undefined> {
  try {
    const journal = await openJournal({
      ...{ directory, org, node, maxBytes: JOURNAL_BYTES },
      ...{ clock: SYSTEM_CLOCK, log: createLogger('agent', { level: 'silent' }) },
    });
    const facts = ids.flatMap((id): [string, JournalFact][] => {
      const entry = journal.find(id);
      if (entry === undefined) return [];
      const result = journal.resultOf(id);
      const resultSha256 = result === undefined ? undefined : sha256Hex(result);
      return [[id, { state: entry.state, receipted: entry.receipted, resultSha256 }]];
    });
    await journal.close();
    return new Map(facts);
  } catch {
    return undefined;
  }
}

/** What the controller has left: its results, and what its audit chain says. */
export async function readStore(place: string): Promise<Evidence['store']> {
  const store = await openStore(place);
  try {
    const results = await store.read.selectFrom('results').select(['execution_id', 'payload_sha256']).execute();
    const refused = await store.read
      .selectFrom('audit')
      .select(['event', 'subject', 'details'])
      .where('event', 'in', [...NOT_BELIEVED])
      .execute();
    const ended = await store.read
      .selectFrom('audit')
      .select('subject')
      .where('event', '=', 'execution_ended')
      .execute();
    const ends = new Map<string, number>();
    for (const { subject } of ended) {
      const id = subject.slice('execution:'.length).split('/')[0] ?? '';
      ends.set(id, (ends.get(id) ?? 0) + 1);
    }
    return {
      ends,
      results: new Map(results.map((row) => [row.execution_id, row.payload_sha256])),
      brokenAuditRow: await firstBrokenAuditRow(store.read),
      refusals: refused.map(({ event, subject, details }) => `${codeOf(details) ?? event} ${subject} ${details}`),
    };
  } finally {
    await store.close();
  }
}

function codeOf(details: string): string | undefined {
  return /"code":"([a-z_]+)"/.exec(details)?.[1];
}
