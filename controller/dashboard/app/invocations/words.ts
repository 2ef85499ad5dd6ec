import type { z } from 'zod';
import { escapeText } from '../../../../runtime/terminal-text.js';
import type { Counts, ExecutionView, InvocationView } from '../../../http/schemas.js';
import { ENDED_STATUSES } from '../../../http/statuses.js';

/** Whether nothing of it changes any more. */
export function hasEnded({ status }: Pick<InvocationView, 'status'>): boolean {
  return ENDED_STATUSES.has(status);
}

/** `7 of 10 done, 2 failed, 1 cancelled`; empty where no node is asked. */
export function countsInWords(counts: Readonly<z.infer<typeof Counts>>): string {
  const { total, held, queued, sent, accepted, success, cancelled } = counts;
  if (total === 0) return '';
  const done = total - held - queued - sent - accepted;
  const failed = done - success - cancelled;
  const parts = [
    `${done} of ${total} done`,
    failed > 0 ? `${failed} failed` : '',
    cancelled > 0 ? `${cancelled} cancelled` : '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}

/** `850 ms`, `1.2 s`, `3 min 20 s`, `2 h 5 min`. */
export function durationInWords(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
}

/** How long an execution took; empty while nobody said. */
export function durationOf({ duration_ms, duration }: ExecutionView): string {
  return duration_ms === null ? (duration ?? '') : durationInWords(duration_ms);
}

/** `exit code 3`; empty where there is none. */
export function exitInWords(exitCode: number | null): string {
  return exitCode === null || exitCode < 0 ? '' : `exit code ${exitCode}`;
}

const REASONS: Readonly<Record<string, string>> = {
  batch_stopped: 'never asked: too many of the batches before had failed',
  policy_revalidated_deny: 'never asked: the policy allows it no longer',
};

const LAUNCHED = {
  yes: 'it had begun',
  no: 'it never began',
  unknown: 'nobody knows whether it began',
} as const;

/** What there is to say of an execution beside its state and exit code; its node may have worded some of it. */
export function notesOf(execution: ExecutionView): string[] {
  const { reason, error_code, error, launched, provisional, unreachable, cancelling } = execution;
  const notes = [
    reason === null ? '' : (REASONS[reason] ?? toWords(reason)),
    escapeText(error ?? ''),
    error_code === null ? '' : toWords(error_code),
    launched === null ? '' : LAUNCHED[launched],
    unreachable ? 'no answer from the node yet' : '',
    cancelling ? 'asked to end, and has not answered yet' : '',
    provisional ? 'the controller concluded this; a late result of the node replaces it' : '',
  ];
  return notes.filter((note) => note !== '');
}

/** Whose word a result is. */
export function evidenceInWords(evidence: NonNullable<ExecutionView['evidence']>): string {
  return evidence === 'signature' ? "signed with the node's key" : "the word of whoever held the node's token";
}

function toWords(code: string): string {
  return code.replaceAll('_', ' ');
}
