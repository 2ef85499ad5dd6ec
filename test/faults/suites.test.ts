import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { SUITES } from './suites.js';

for (const [name, { scenarios, controls, buildBroken }] of SUITES) {
  test(`every negative control of the ${name} builds and names a scenario`, async (t) => {
    assert.ok(controls.length > 0);
    for (const control of controls) {
      await buildBroken(temporaryDirectory(t), control.breakages);
      assert.ok(
        scenarios.some((scenario) => scenario.name === control.caughtBy),
        control.caughtBy,
      );
    }
  });
}
