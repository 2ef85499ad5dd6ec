import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { CONTROLS, runControl } from './controls.js';
import { runScenario } from './run-scenario.js';
import { SCENARIOS } from './scenarios.js';

for (const scenario of SCENARIOS) {
  test(`${scenario.name}: nothing is lost, doubled, late, undefined or orphaned`, async (t) => {
    const seed = String(randomInt(1e9));
    const end = await runScenario(scenario, { seed, size: 'short', note: (line) => t.diagnostic(line) });

    if (end.kind === 'skipped') return t.skip(end.reason);
    t.diagnostic(`seed ${seed}`);
    if (end.kind === 'broken') throw end.error;
    const { points, verdict } = end.report;
    assert.deepEqual(verdict.faults, []);
    assert.ok(points > 0 && verdict.accepted > 0, 'it did harm, and there was work');
  });
}

for (const control of CONTROLS) {
  test(`an agent with ${control.name} is caught by ${control.caughtBy}`, async (t) => {
    const seed = String(randomInt(1e9));
    const end = await runControl(control, { scenarios: SCENARIOS, seed, note: (line) => t.diagnostic(line) });

    if (end.kind === 'skipped') return t.skip(end.reason);
    t.diagnostic(`seed ${seed}`);
    if (end.kind === 'broken') throw end.error;
    assert.equal(end.kind, 'caught', JSON.stringify(end.verdict));
  });
}
