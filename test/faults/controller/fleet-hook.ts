import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Mark } from '../judge/judge-return.js';

/** The hook that every node of a fleet offers. */
export const MARK = 'mark.sh';

/** Its first and its last act is a line in the ledger with its node, by one write each. */
export function writeMarkHook(directory: string, ledger: string): void {
  writeFileSync(ledger, '');
  const note = (act: string): string =>
    `echo "${act} $MUSTER_EXECUTION_ID $MUSTER_NODE_ID \${EPOCHREALTIME/[.,]/}" >> '${ledger}'\n`;
  writeFileSync(join(directory, MARK), `#!/bin/bash\n${note('begin')}${note('end')}`);
  chmodSync(join(directory, MARK), 0o755);
}

/** What the hook wrote, in the order of its writing. */
export function readMarks(ledger: string): Mark[] {
  return readFileSync(ledger, 'utf8').split('\n').filter(Boolean).map(toMark);
}

function toMark(line: string): Mark {
  const [act, executionId = '', node = '', micros] = line.split(' ');
  return { act: act === 'begin' ? 'begin' : 'end', executionId, node, atMs: Number(micros) / 1000 };
}
