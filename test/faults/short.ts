import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { runScenario } from './run-scenario.js';
import type { Scenario } from './scenario.js';

/** A test for each scenario in its short size; the seed of a run that fails repeats its choices. */
export function testInShort(scenarios: readonly Scenario[]): void {
  for (const scenario of scenarios) {
    test(`${scenario.name}: nothing is lost, doubled, late, undefined or orphaned`, async (t) => {
      const seed = String(randomInt(1e9));
      t.diagnostic(`seed ${seed}`);
      const end = await runScenario(scenario, { seed, size: 'short', note: (line) => t.diagnostic(line) });

      if (end.kind === 'skipped') return t.skip(end.reason);
      if (end.kind === 'broken') throw end.error;
      const { points, verdict } = end.report;
      assert.deepEqual(verdict.faults, []);
      assert.ok(points > 0 && verdict.accepted > 0, 'it did harm, and there was work');
    });
  }
}
