import assert from 'node:assert/strict';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Action } from '../../../agent/actions/action.js';
import { createProcessGroupIsolation } from '../../../agent/actions/process-group.js';
import { runProgram } from '../../../agent/actions/processes.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { acting, createTestExecutor, idOf, receive } from '../../support/executor.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const log = createLogger('agent', { level: 'silent' });

test('a cancel in the wait for a program that is open to write: launched no, and the journal knows of no launch', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'program');
  writeFileSync(file, '#!/bin/sh\n', { mode: 0o755 });
  const descriptor = openSync(file, 'r+');
  t.after(() => closeSync(descriptor));
  let asks = 0;
  const action = executing({ file, args: [] }, { asked: () => (asks += 1) });
  const { executor, journal, resultOf } = await createTestExecutor(t, { actions: [action] });
  const received = receive({ action: 'execute' });
  await executor.execute(received);
  await until(() => asks > 1, { what: 'a second start, since the first has failed' });

  await executor.cancel(cancelOf(idOf(received)));

  const { status, launched } = await resultOf(idOf(received));
  assert.deepEqual([status, launched, journal.find(idOf(received))?.launched], ['cancelled', 'no', false]);
});

test('a program that was started is launched, in the journal at once and in the result of its cancel', async (t) => {
  const action = executing({ file: '/bin/sleep', args: ['999'] });
  const { executor, journal, resultOf } = await createTestExecutor(t, { actions: [action] });
  const received = receive({ action: 'execute' });
  await executor.execute(received);
  await until(() => journal.find(idOf(received))?.launched, { what: 'the launch' });

  await executor.cancel(cancelOf(idOf(received)));

  const { status, launched } = await resultOf(idOf(received));
  assert.deepEqual([status, launched], ['cancelled', 'yes']);
});

/** An action that runs a program as a hook is run; `asked` is called before each fork. */
function executing(
  { file, args }: { file: string; args: readonly string[] },
  { asked = () => undefined }: { asked?: () => unknown } = {},
): Action {
  const isolation = createProcessGroupIsolation();
  return acting(
    'execute',
    async ({ signal, output, mayStart, launched, exited }) => {
      const end = await runProgram(
        { file, args, cwd: '/', env: {}, graceMs: 500 },
        {
          ...{ signal, output, isolation, log, launched, exited },
          mayStart() {
            asked();
            return mayStart?.() ?? true;
          },
        },
      );
      return end.kind === 'not_started' ? { kind: 'error', code: 'start_failed', message: end.errno } : end;
    },
    { asksMayStart: true },
  );
}

function cancelOf(id: string) {
  return { id, reason: 'not needed', expiresMs: SYSTEM_CLOCK.nowMs() + 3_600_000 };
}
