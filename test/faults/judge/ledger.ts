import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the hook of the fault runs is told to do. */
export type Deed = Readonly<{
  exitCode: number;
  /** Bytes of stdout; which ones follows from the execution id. */
  bytes: number;
  /** How long it takes. */
  ms: number;
  /** A process that it leaves behind, in a session of its own. `cleared`: with an empty environment, too. */
  leaves: 'nothing' | 'session' | 'cleared';
  /** Whether it prints its environment on stderr. */
  showsEnvironment: boolean;
}>;

/** The name of the hook. */
export const LEDGER_HOOK = 'ledger.sh';

/** What a run of the hook wrote down: when it began, and when it was done. Times are milliseconds since 1970. */
export type LedgerLine = Readonly<
  { kind: 'start'; id: string; pid: number; atMs: number } | { kind: 'end'; id: string; exitCode: number; atMs: number }
>;

/**
 * A hook whose first and last act is a line in the ledger, appended by one write each. Everything between is done by
 * the shell itself but the waiting, so that it is done whole or not at all. `canary` are digits that stand in the
 * command line of each process that it starts.
 */
export function writeLedgerHook(directory: string, { ledger, canary }: { ledger: string; canary: string }): void {
  const file = join(directory, LEDGER_HOOK);
  writeFileSync(
    file,
    `#!/bin/bash
id=$MUSTER_EXECUTION_ID
printf 'start %s %s %s\\n' "$id" "$$" "\${EPOCHREALTIME/[.,]/}" >> '${ledger}'
if (( MUSTER_PARAM_BYTES > 0 )); then
  printf -v text '%*s' $(( MUSTER_PARAM_BYTES / 37 + 1 )) ''
  text=\${text// /$id$'\\n'}
  printf '%s' "\${text:0:MUSTER_PARAM_BYTES}"
fi
[[ $MUSTER_PARAM_ENVIRONMENT != true ]] || export -p >&2
case $MUSTER_PARAM_LEAVES in
  session) setsid sleep 86400.${canary} & ;;
  cleared) setsid env -i sleep 86400.${canary} & ;;
esac
printf -v seconds '%d.%03d' $(( MUSTER_PARAM_MS / 1000 )) $(( MUSTER_PARAM_MS % 1000 ))
(( MUSTER_PARAM_MS == 0 )) || sleep "\${seconds}${canary}"
printf 'end %s %s %s\\n' "$id" "$MUSTER_PARAM_CODE" "\${EPOCHREALTIME/[.,]/}" >> '${ledger}'
exit "$MUSTER_PARAM_CODE"
`,
  );
  chmodSync(file, 0o755);
}

/** The parameters that tell the hook what to do. */
export function parametersOf({ exitCode, bytes, ms, leaves, showsEnvironment }: Deed): Record<string, string | number> {
  return { code: exitCode, bytes, ms, leaves, environment: String(showsEnvironment) };
}

/** What the hook prints on stdout when nobody stops it. */
export function outputOf(executionId: string, bytes: number): Buffer {
  const line = `${executionId}\n`;
  return Buffer.from(line.repeat(Math.ceil(bytes / line.length)).slice(0, bytes));
}

const START = /^start ([0-9a-f-]{36}) (\d+) (\d{16})$/;
const END = /^end ([0-9a-f-]{36}) (\d+) (\d{16})$/;

/** The lines of the ledger in the order in which they were written; what is no line of the hook's is `unreadable`. */
export function parseLedger(text: string): { lines: LedgerLine[]; unreadable: string[] } {
  const lines: LedgerLine[] = [];
  const unreadable: string[] = [];
  for (const line of text.split('\n').filter(Boolean)) {
    const [, startId, pid, startedAt] = START.exec(line) ?? [];
    const [, endId, code, endedAt] = END.exec(line) ?? [];
    if (startId !== undefined)
      lines.push({ kind: 'start', id: startId, pid: Number(pid), atMs: Number(startedAt) / 1000 });
    else if (endId !== undefined)
      lines.push({ kind: 'end', id: endId, exitCode: Number(code), atMs: Number(endedAt) / 1000 });
    else unreadable.push(line.slice(0, 200));
  }
  return { lines, unreadable };
}

/** What the ledger says of one execution. */
export type Runs = Readonly<{
  starts: readonly Extract<LedgerLine, { kind: 'start' }>[];
  ends: readonly Extract<LedgerLine, { kind: 'end' }>[];
}>;

/** The lines of the ledger by execution id. */
export function groupRuns(lines: readonly LedgerLine[]): (executionId: string) => Runs {
  const byId = new Map<string, LedgerLine[]>();
  for (const line of lines) {
    const own = byId.get(line.id);
    if (own === undefined) byId.set(line.id, [line]);
    else own.push(line);
  }
  return (executionId) => {
    const own = byId.get(executionId) ?? [];
    return { starts: own.filter((line) => line.kind === 'start'), ends: own.filter((line) => line.kind === 'end') };
  };
}

/** Reads the ledger's file. */
export function readLedger(file: string): { lines: LedgerLine[]; unreadable: string[] } {
  return parseLedger(readFileSync(file, 'utf8'));
}
