import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Breakage } from './breakage.js';
import type { Verdict } from './judge/checker.js';
import { runScenario } from './run-scenario.js';
import type { Suite } from './suite.js';

/** A part with one promise broken on purpose, and the scenario that has to notice. */
export type Control = Readonly<{
  name: string;
  breakages: readonly Breakage[];
  /** Name of a scenario. */
  caughtBy: string;
  /** At least one of these has to be found. */
  expected: readonly ('lost' | 'doubled' | 'undefined' | 'late' | 'orphans')[];
  /** True when it takes too long to run with every change: then only a fault run on request has it. */
  isSlow?: boolean;
}>;

/** Whether a control was noticed, with the verdict that says so. */
export type ControlEnd = Readonly<
  | { kind: 'caught' | 'missed'; verdict: Verdict; seconds: number }
  | { kind: 'skipped'; reason: string }
  | { kind: 'broken'; error: unknown; seconds: number }
>;

/** Chance decides when harm is done: a broken part that gets away once in a hundred runs is asked again. */
const TRIES = 2;
/** What a broken part has lost does not come later. */
const QUIET_MS = 8_000;

/** Runs the control's scenario, short, with the part broken. */
export async function runControl(
  control: Control,
  { suite, seed, note }: Readonly<{ suite: Suite; seed: string; note: (line: string) => void }>,
): Promise<ControlEnd> {
  const scenario = suite.scenarios.find(({ name }) => name === control.caughtBy);
  if (scenario === undefined) throw new Error(`there is no scenario ${control.caughtBy}`);
  const directory = mkdtempSync(join(tmpdir(), 'muster-broken-'));
  let seconds = 0;
  try {
    const broken = await suite.buildBroken(directory, control.breakages);
    for (let attempt = 1; ; attempt += 1) {
      const end = await runScenario(scenario, {
        seed: `${seed} ${attempt}`,
        size: 'short',
        note,
        ...broken,
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
