import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Breakage, buildBrokenAgent } from './broken-agent.js';
import type { Verdict } from './judge/checker.js';
import { runScenario } from './run-scenario.js';
import type { Scenario } from './scenario.js';

/** An agent with one promise broken on purpose, and the scenario that has to notice. */
export type Control = Readonly<{
  name: string;
  breakages: readonly Breakage[];
  /** Name of a scenario. */
  caughtBy: string;
  /** At least one of these has to be found. */
  expected: readonly ('lost' | 'doubled' | 'undefined' | 'late' | 'orphans')[];
}>;

/** Negative controls: they show that the scenarios would notice. */
export const CONTROLS: readonly Control[] = [
  {
    name: 'a journal after the launch',
    breakages: [
      {
        file: 'agent/journal/journal.ts',
        good: "await write({ kind: 'accepted', id, sha256, expires_ms: expiresMs, starting, seq, octets: length }, octets);",
        bad: `const record = { kind: 'accepted', id, sha256, expires_ms: expiresMs, starting, seq, octets: length };
      entries.apply({ record, octets });
      setTimeout(() => queue.add({ record, octets }).catch(() => undefined), 300);`,
      },
    ],
    caughtBy: 'kill-under-load',
    expected: ['lost', 'doubled'],
  },
  {
    name: 'no fsync',
    breakages: [{ file: 'agent/journal/segment.ts', good: '  await syncData(descriptor);\n  return', bad: '  return' }],
    caughtBy: 'power-cut',
    expected: ['lost', 'doubled', 'undefined'],
  },
  {
    name: 'no memory of ids',
    breakages: [
      {
        file: 'agent/executor/admission.ts',
        good: 'if (state.entry !== undefined) return admitKnown(state.entry, sha256);',
        bad: 'void admitKnown;',
      },
    ],
    caughtBy: 'hostile-link',
    expected: ['doubled'],
  },
  {
    name: 'no look at the time',
    breakages: [
      {
        file: 'agent/executor/window.ts',
        good: "return nowMs >= Date.parse(expires_at) ? 'late' : undefined;",
        bad: "return nowMs >= Date.parse(expires_at) + 1e9 ? 'late' : undefined;",
      },
    ],
    caughtBy: 'frozen',
    expected: ['late'],
  },
  {
    name: 'results forgotten before their receipt',
    breakages: [
      {
        file: 'agent/outbox.ts',
        good: 'await publish(payload);\n      unsent.delete(id);',
        bad: 'await publish(payload);\n      unsent.delete(id);\n      waiting.delete(id);\n      void journal.receipt([id]);',
      },
      {
        file: 'agent/session/controls.ts',
        good: 'for (const id of wanted) {',
        bad: 'for (const id of wanted.slice(0, 0)) {',
      },
    ],
    caughtBy: 'controller-kills',
    expected: ['lost', 'undefined'],
  },
  {
    name: 'no time left for anything',
    breakages: [
      {
        file: 'agent/executor/window.ts',
        good: '  if (side === undefined) return undefined;\n',
        bad: '',
      },
    ],
    caughtBy: 'kill-under-load',
    expected: ['lost'],
  },
  {
    name: 'a cancel for everything',
    breakages: [
      {
        file: 'agent/executor/run-action.ts',
        good: 'if (stop.aborted) return { ...CANCELLED',
        bad: 'return { ...CANCELLED',
      },
    ],
    caughtBy: 'kill-under-load',
    expected: ['undefined'],
  },
  {
    name: 'an end for the program alone, and not for what it has started',
    breakages: [
      {
        file: 'agent/actions/isolation.ts',
        good: "const base = isWanted('cgroup') ? findCgroup(log) : undefined;",
        bad: `const encloseNobodyElse = async () => {
    let program;
    return {
      endsWithAgent: true,
      lead: (command) => command,
      start(spawn) {
        program = spawn();
        return program;
      },
      terminate: () => void program?.kill('SIGTERM'),
      isEmpty: () => true,
      kill: async () => void program?.kill('SIGKILL'),
      release: async () => undefined,
    };
  };
  return { limit: 'process_group', enclose: encloseNobodyElse };
  const base = undefined;`,
      },
    ],
    caughtBy: 'broker-loss',
    expected: ['orphans'],
  },
];

/** Whether a control was noticed, with the verdict that says so. */
export type ControlEnd = Readonly<
  | { kind: 'caught' | 'missed'; verdict: Verdict; seconds: number }
  | { kind: 'skipped'; reason: string }
  | { kind: 'broken'; error: unknown; seconds: number }
>;

/** Chance decides when harm is done: a broken agent that gets away once in a hundred runs is asked again. */
const TRIES = 2;
/** What a broken agent has lost does not come later. */
const QUIET_MS = 8_000;

/** Runs the control's scenario, short, with the broken agent. */
export async function runControl(
  control: Control,
  { scenarios, seed, note }: Readonly<{ scenarios: readonly Scenario[]; seed: string; note: (line: string) => void }>,
): Promise<ControlEnd> {
  const scenario = scenarios.find(({ name }) => name === control.caughtBy);
  if (scenario === undefined) throw new Error(`there is no scenario ${control.caughtBy}`);
  const directory = mkdtempSync(join(tmpdir(), 'muster-broken-'));
  const agentBundle = join(directory, 'muster-agent.cjs');
  let seconds = 0;
  try {
    await buildBrokenAgent(agentBundle, control.breakages);
    for (let attempt = 1; ; attempt += 1) {
      const end = await runScenario(scenario, {
        seed: `${seed} ${attempt}`,
        size: 'short',
        note,
        agentBundle,
        quietMs: QUIET_MS,
      });
      if (end.kind === 'skipped') return end;
      seconds += end.seconds;
      if (end.kind === 'broken') return { ...end, seconds };
      const { verdict } = end.report;
      if (control.expected.some((kind) => verdict[kind] > 0)) return { kind: 'caught', verdict, seconds };
      if (attempt === TRIES) return { kind: 'missed', verdict, seconds };
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
