import { parsePayload } from '../../protocol/envelope.js';
import { isMusterError } from '../../protocol/errors.js';
import { Result } from '../../protocol/messages/result.js';
import type { Journal } from '../journal/contract.js';
import type { LocalExecution } from './messages.js';

/** Tells who waits for it that an execution has ended, and knows the last ones of local origin. */
export type Ends = Readonly<{
  /** Its result is in the journal. */
  ended: (id: string) => void;
  /** For a local execution that is about to start; `leave` when nobody waits any more. */
  follow: (id: string) => Readonly<{ ended: Promise<void>; leave: () => void }>;
  /** The newest first. */
  recent: () => LocalExecution[];
}>;

const MAX_RECENT = 20;
/** So many of the results that wait for a receipt are looked through for those of earlier processes. */
const MAX_LOOKED_AT = 100;

export function createEnds(journal: Journal): Ends {
  /** By execution id. */
  const waiting = new Map<string, () => void>();
  /** Local executions of this process, in the order of their starts. */
  let started: string[] = [];

  return {
    ended: (id) => waiting.get(id)?.(),
    follow(id) {
      started = [...started, id].slice(-MAX_RECENT);
      const ended = new Promise<void>((over) => waiting.set(id, over));
      return { ended, leave: () => void waiting.delete(id) };
    },
    recent() {
      const ids = new Set([...journal.unreceipted().slice(-MAX_LOOKED_AT), ...started]);
      const found = [...ids].flatMap((id) => findLocal(journal, id) ?? []);
      return found.sort((a, b) => (a.finished_at < b.finished_at ? 1 : -1)).slice(0, MAX_RECENT);
    },
  };
}

/** What is to say of a finished execution of local origin; undefined for any other. */
function findLocal(journal: Journal, id: string): LocalExecution | undefined {
  const octets = readResult(journal, id);
  const result = octets === undefined ? undefined : parsePayload(Result, octets);
  if (result?.origin !== 'local' || result.action === undefined) return undefined;
  return {
    execution_id: id,
    action: result.action,
    by: result.triggered_by?.id ?? 'unknown',
    status: result.status,
    finished_at: result.finished_at,
    receipted: journal.find(id)?.receipted ?? true,
  };
}

/** A disk that cannot be read must not keep an agent from saying how it is. */
function readResult(journal: Journal, id: string): Buffer | undefined {
  try {
    return journal.resultOf(id);
  } catch (error) {
    if (!isMusterError(error, 'storage_failed')) throw error;
    return undefined;
  }
}
