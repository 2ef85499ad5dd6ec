import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { type Control, runControl } from './controls.js';
import { SCENARIOS } from './scenarios.js';

/** A test for each of these broken agents, which has to be caught. */
export function testControls(controls: readonly Control[]): void {
  for (const control of controls) {
    test(`an agent with ${control.name} is caught by ${control.caughtBy}`, async (t) => {
      const seed = String(randomInt(1e9));
      t.diagnostic(`seed ${seed}`);
      const end = await runControl(control, { scenarios: SCENARIOS, seed, note: (line) => t.diagnostic(line) });

      if (end.kind === 'skipped') return t.skip(end.reason);
      if (end.kind === 'broken') throw end.error;
      assert.equal(end.kind, 'caught', JSON.stringify(end.verdict));
    });
  }
}
