import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addFaults } from './judge/add-faults.js';
import { PROGRAM } from './program.js';
import { seededRandom } from './random.js';
import type { Scenario, ScenarioContext, ScenarioReport } from './scenario.js';

/** The agent as we ship it. */
export const AGENT_BUNDLE = fileURLToPath(new URL('../../dist/agent/muster-agent.cjs', import.meta.url));

/** Longer than the controller waits for a result before it concludes that the agent is lost. */
const QUIET_MS = 100_000;

/** What became of a scenario: a report, the reason why this machine cannot run it, or that it broke down itself. */
export type ScenarioEnd = Readonly<
  | { kind: 'judged'; report: ScenarioReport; seconds: number }
  | { kind: 'skipped'; reason: string }
  | { kind: 'broken'; error: unknown; seconds: number }
>;

/** Runs one scenario in a directory of its own. `keep` leaves the directory of a run that found a fault. */
export async function runScenario(
  scenario: Scenario,
  {
    seed,
    keep = false,
    agentBundle = AGENT_BUNDLE,
    program = PROGRAM,
    quietMs = QUIET_MS,
    ...given
  }: Readonly<{ seed: string; keep?: boolean }> &
    Pick<ScenarioContext, 'size' | 'note'> &
    Partial<Pick<ScenarioContext, 'agentBundle' | 'program' | 'quietMs'>>,
): Promise<ScenarioEnd> {
  const reason = await scenario.lacks();
  if (reason !== undefined) return { kind: 'skipped', reason };
  const directory = mkdtempSync(join(tmpdir(), `muster-${scenario.name}-`));
  const startMs = performance.now();
  const seconds = (): number => (performance.now() - startMs) / 1000;
  const random = seededRandom(`${seed} ${scenario.name}`);
  let isClean = false;
  try {
    const report = withHarm(await scenario.run({ ...given, random, directory, agentBundle, program, quietMs }));
    isClean = report.verdict.faults.length === 0;
    return { kind: 'judged', report, seconds: seconds() };
  } catch (error) {
    return { kind: 'broken', error, seconds: seconds() };
  } finally {
    if (isClean || !keep) rmSync(directory, { recursive: true, force: true });
    else given.note(`kept ${directory}`);
  }
}

/** A run that did no harm, or had no work, shows nothing. */
function withHarm({ points, verdict }: ScenarioReport): ScenarioReport {
  const hasShown = points > 0 && verdict.accepted > 0;
  return { points, verdict: hasShown ? verdict : addFaults(verdict, ['it did no harm, or there was no work']) };
}
