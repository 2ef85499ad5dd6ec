import type { AuditEntry } from '../store/audit.js';
import type { ResultEvidence } from './evidence.js';

/**
 * An audit row for each result that tells of a file which was not the one that was asked for. The result is receipted
 * only after the commit, so a node repeats it until the row is there.
 */
export function violationEntries(
  results: readonly ResultEvidence[],
  { org, nowMs }: Readonly<{ org: string; nowMs: number }>,
): AuditEntry[] {
  return results.flatMap(({ node, result: { execution_id, violation } }) => {
    if (violation === undefined) return [];
    const { type, path, expected, actual, detail, timestamp } = violation;
    return [
      {
        atMs: nowMs,
        org,
        actor: `node:${node}`,
        event: 'hook_integrity_violation',
        subject: `execution:${execution_id}/${node}`,
        details: { type, path, expected, actual, detail, timestamp },
      },
    ];
  });
}
