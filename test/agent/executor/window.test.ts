import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { discoverHooks } from '../../../agent/actions/hooks/discover.js';
import { createHookAction, type HookVerifier } from '../../../agent/actions/hooks/run-hook.js';
import type { Isolation } from '../../../agent/actions/isolation.js';
import { createProcessGroupIsolation } from '../../../agent/actions/process-group.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { createTestExecutor, idOf, receive, standingNow } from '../../support/executor.js';
import { createGate } from '../../support/gate.js';
import { writeHook } from '../../support/hooks.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const HOUR_MS = 3_600_000;
const log = createLogger('agent', { level: 'silent' });

test('promise 9: a hook whose time runs out while it is prepared does not start: expired, launched no', async (t) => {
  let nowMs = SYSTEM_CLOCK.nowMs();
  const hook = await makeHook(t, async () => {
    nowMs += 2 * HOUR_MS; // as if the machine had slept while the hook was read
    return true;
  });
  const { executor, resultOf } = await createTestExecutor(t, {
    actions: [hook.action],
    standing: () => ({ ...standingNow(), nowMs }),
  });
  const received = receive({ action: 'hook', checksum: hook.checksum });

  await executor.execute(received);

  const { status, error_code, launched } = await resultOf(idOf(received));
  assert.deepEqual([status, error_code, launched], ['error', 'expired', 'no']);
  assert.equal(existsSync(hook.trace), false);
});

test('promise 9: a request does not start when the clock of the controller was set back to before its time: expired, launched no', async (t) => {
  let backMs = 0;
  const { executor, journal, resultOf } = await createTestExecutor(t, {
    random: () => 0.5,
    standing: () => ({ ...standingNow(), nowMs: SYSTEM_CLOCK.nowMs() - backMs }),
  });
  const received = receive({ spread: '200ms' });
  await executor.execute(received);

  backMs = 3 * HOUR_MS;

  const { status, error_code, launched } = await resultOf(idOf(received));
  assert.deepEqual([status, error_code, launched, journal.seq], ['error', 'expired', 'no', 0]);
});

test('promise 9: nor when that happens while its hook is prepared; two minutes are within what clocks differ by', async (t) => {
  for (const [backMs, expected] of [
    [119_000, 'success'],
    [125_000, 'error'],
  ] as const) {
    let setBackMs = 0;
    const hook = await makeHook(t, async () => {
      setBackMs = backMs;
      return true;
    });
    const { executor, resultOf } = await createTestExecutor(t, {
      actions: [hook.action],
      standing: () => ({ ...standingNow(), nowMs: SYSTEM_CLOCK.nowMs() - setBackMs }),
    });
    const received = receive({ action: 'hook', checksum: hook.checksum });

    await executor.execute(received);

    assert.equal((await resultOf(idOf(received))).status, expected);
    assert.equal(existsSync(hook.trace), expected === 'success');
  }
});

test('a hook that is cancelled while it is prepared does not start: cancelled, launched no', async (t) => {
  const [reached, gate] = [createGate(), createGate()];
  const hook = await makeHook(t, async () => {
    reached.open();
    await gate.passed;
    return true;
  });
  const { executor, resultOf } = await createTestExecutor(t, { actions: [hook.action] });
  const received = receive({ action: 'hook', checksum: hook.checksum });
  await executor.execute(received);
  await reached.passed;

  await executor.cancel({ id: idOf(received), reason: 'not needed', expiresMs: SYSTEM_CLOCK.nowMs() + HOUR_MS });
  gate.open();

  const { status, launched } = await resultOf(idOf(received));
  assert.deepEqual([status, launched], ['cancelled', 'no']);
  assert.equal(existsSync(hook.trace), false);
});

test('promise 6: the journal says "launched" from the start of the program on, not from its preparation', async (t) => {
  const [reached, gate] = [createGate(), createGate()];
  const hook = await makeHook(t, async () => {
    reached.open();
    await gate.passed;
    return true;
  });
  const { executor, journal, resultOf } = await createTestExecutor(t, { actions: [hook.action] });
  const received = receive({ action: 'hook', checksum: hook.checksum });
  await executor.execute(received);
  await reached.passed;
  assert.equal(journal.find(idOf(received))?.launched, false);

  gate.open();
  await until(() => existsSync(hook.trace), { what: 'the hook runs' });

  assert.equal(journal.find(idOf(received))?.launched, true);
  assert.equal((await resultOf(idOf(received))).status, 'success');
});

test('promise 5: a hook that has ended is not cancelled by what comes while it is cleared away', async (t) => {
  const groups = createProcessGroupIsolation();
  const isolation: Isolation = {
    ...groups,
    async enclose(marker) {
      const enclosure = await groups.enclose(marker);
      const kill = async (): Promise<void> => {
        await executor.cancel({ id: idOf(received), reason: 'late', expiresMs: SYSTEM_CLOCK.nowMs() + HOUR_MS });
        await enclosure.kill();
      };
      return { ...enclosure, kill };
    },
  };
  const hook = await makeHook(t, async () => true, isolation);
  const { executor, journal, resultOf } = await createTestExecutor(t, { actions: [hook.action] });
  const received = receive({ action: 'hook', checksum: hook.checksum });

  await executor.execute(received);

  const { status, exit_code } = await resultOf(idOf(received));
  assert.deepEqual([status, exit_code], ['success', 0]);
  assert.equal(journal.find(idOf(received))?.cancelled, 'late');
});

/** A hook that leaves a trace when it runs; `verify` stands for whatever happens before that. */
async function makeHook(t: TestContext, verify: HookVerifier, isolation = createProcessGroupIsolation()) {
  const directory = temporaryDirectory(t);
  const trace = join(directory, 'trace.json'); // not a hook, by its name
  const { checksum } = writeHook(directory, 'hook', `#!/bin/sh\n: > ${trace}\n`);
  const [hook] = (await discoverHooks(directory)).hooks;
  assert.ok(hook);
  const action = createHookAction(hook, {
    ...{ nodeId: 'pump', envPrefix: 'MUSTER_', agentEnv: process.env, dataDir: temporaryDirectory(t) },
    ...{ isolation, log, verify },
  });
  return { action, checksum, trace };
}
