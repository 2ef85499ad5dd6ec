import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createRestartGuard } from '../../agent/restart-guard.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { createLogger } from '../../runtime/logger.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const MINUTE_MS = 60_000;

test('after three restarts within ten minutes that nobody asked for the fourth process is held for ten', (t) => {
  const machine = createMachine(t);
  for (let start = 0; start < 3; start += 1) {
    assert.equal(machine.start().heldForMs(), 0, `start ${start}`);
    machine.pass(3 * MINUTE_MS);
  }

  const guard = machine.start();

  assert.equal(guard.heldForMs(), 10 * MINUTE_MS);
  machine.pass(4 * MINUTE_MS);
  assert.equal(guard.heldForMs(), 6 * MINUTE_MS);
  machine.pass(6 * MINUTE_MS);
  assert.equal(guard.heldForMs(), 0);
  assert.deepEqual(machine.told, [false, false, false, true, false]);
  assert.equal(machine.start().heldForMs(), 0, 'it was trusted again');
});

test('a held process that ends in order is followed by one that is held', (t) => {
  const machine = createMachine(t);
  for (let start = 0; start < 4; start += 1) machine.start();

  machine.start().stop({ isAskedFor: false });

  assert.ok(machine.start().heldForMs() > 0);
});

test('starts that ended in order, or lie further apart, hold nobody', (t) => {
  const orderly = createMachine(t);
  for (let start = 0; start < 5; start += 1) {
    const guard = orderly.start();
    assert.equal(guard.heldForMs(), 0);
    guard.stop({ isAskedFor: false });
  }
  const slow = createMachine(t);
  for (let start = 0; start < 5; start += 1) {
    assert.equal(slow.start().heldForMs(), 0);
    slow.pass(4 * MINUTE_MS);
  }
});

test('reboots count, unless a process has run for ten minutes in between, whatever the wall clock says', (t) => {
  const loop = createMachine(t);
  for (let boot = 0; boot < 3; boot += 1) {
    loop.start();
    loop.pass(MINUTE_MS);
    loop.boot();
  }
  assert.ok(loop.start().heldForMs() > 0);

  const nightly = createMachine(t);
  for (let boot = 0; boot < 5; boot += 1) {
    assert.equal(nightly.start().heldForMs(), 0);
    nightly.pass(24 * 60 * MINUTE_MS);
    nightly.boot();
  }
});

test('a file that cannot be read or written costs the memory, not the start', (t) => {
  const machine = createMachine(t);
  for (const text of ['', '{"v":1,"starts":[{"boot_id":7}]}', 'null', '\0'.repeat(4096)]) {
    writeFileSync(join(machine.dataDir, 'starts.json'), text);
    assert.equal(machine.start().heldForMs(), 0);
  }
  assert.equal(createMachine(t, join(machine.dataDir, 'missing')).start().heldForMs(), 0);
});

/** A machine whose time a test lets pass. A process of an agent that starts on it takes the place of one that was killed. */
function createMachine(t: TestContext, dataDir = temporaryDirectory(t)) {
  t.mock.timers.reset();
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let [uptimeMs, monotonicMs, boots] = [30_000, 0, 0];
  const told: boolean[] = [];
  return {
    dataDir,
    told,
    start() {
      t.mock.timers.reset(); // with a process its timers go
      t.mock.timers.enable({ apis: ['setTimeout'] });
      return createRestartGuard({
        ...{ dataDir, bootId: `boot-${boots}`, uptimeMs: () => uptimeMs, onHold: (isHeld) => void told.push(isHeld) },
        clock: { nowMs: SYSTEM_CLOCK.nowMs, monotonicMs: () => monotonicMs },
        log: createLogger('agent', { level: 'silent' }),
      });
    },
    pass(ms: number) {
      uptimeMs += ms;
      monotonicMs += ms;
      t.mock.timers.tick(ms);
    },
    boot() {
      boots += 1;
      uptimeMs = 30_000;
    },
  };
}
