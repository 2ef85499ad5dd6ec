import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { type Control, runControl } from './control.js';
import type { Suite } from './suite.js';
import { AGENT_SUITE } from './suites.js';

/** A test for each of these broken parts, which has to be caught, but for those that are slow. */
export function testControls(controls: readonly Control[], suite: Suite = AGENT_SUITE): void {
  for (const control of controls.filter(({ isSlow }) => isSlow !== true)) {
    test(`a part with ${control.name} is caught by ${control.caughtBy}`, async (t) => {
      const seed = String(randomInt(1e9));
      t.diagnostic(`seed ${seed}`);
      const end = await runControl(control, { suite, seed, note: (line) => t.diagnostic(line) });

      if (end.kind === 'skipped') return t.skip(end.reason);
      if (end.kind === 'broken') throw end.error;
      assert.equal(end.kind, 'caught', JSON.stringify(end.verdict));
    });
  }
}
