import { type ErrorCode, MusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { Refusals } from '../../runtime/refusals.js';
import { appendAudit } from '../store/audit.js';
import type { Store } from '../store/store.js';

/** What is not believed: counted and logged, and audited when somebody may be lying. */
export type Objections = Readonly<{
  refuse: (error: MusterError, about: Readonly<{ kind: string; node?: string | undefined }>) => void;
  /** A signed message that contradicts what is stored. */
  note: (code: ErrorCode, about: Readonly<{ node: string; executionId: string }>) => void;
}>;

/** Codes that a broken network does not explain. */
const AUDITED: ReadonlySet<ErrorCode> = new Set([
  'bad_signature',
  'unknown_key',
  'key_not_allowed',
  'wrong_audience',
  'unknown_execution',
  'wrong_request',
  'conflicting_result',
]);

/** The same objection to the same node is audited once in this time, so that a flood does not fill the disk. */
const AUDIT_AGAIN_MS = 60_000;
const MAX_REMEMBERED = 10_000;

export function createObjections(deps: {
  refusals: Refusals;
  store: Store;
  clock: Clock;
  log: Logger;
  org: string;
}): Objections {
  const { refusals, store, clock, log, org } = deps;
  const audited = new Map<string, number>();

  function audit(code: ErrorCode, node: string, details: Readonly<Record<string, string>>): void {
    const key = `${code} ${node}`;
    const nowMs = clock.monotonicMs();
    const last = audited.get(key);
    if (!AUDITED.has(code) || (last !== undefined && nowMs - last < AUDIT_AGAIN_MS)) return;
    if (audited.size >= MAX_REMEMBERED) audited.clear();
    audited.set(key, nowMs);
    const entry = { atMs: clock.nowMs(), org, actor: 'controller', event: 'message_refused', subject: `node:${node}` };
    store
      .write((tx) => appendAudit(tx, [{ ...entry, details: { code, ...details } }]), { lazy: true })
      .catch((err: unknown) => log.warn({ err }, 'refusal not audited'));
  }

  return {
    refuse(error, { kind, node }) {
      refusals.note(error, { kind, node });
      if (node !== undefined) audit(error.code, node, { kind });
    },
    note(code, { node, executionId }) {
      refusals.note(new MusterError(code, 'a signed message contradicts the store'), { node, executionId });
      audit(code, node, { execution_id: executionId });
    },
  };
}
