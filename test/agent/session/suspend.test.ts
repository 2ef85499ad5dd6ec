import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createGreeting } from '../../../agent/session/greeting.js';
import { createStanding } from '../../../agent/session/standing.js';
import { SYSTEM_CLOCK, toTime, type WakefulClock } from '../../../runtime/clock.js';
import { startTestBroker } from '../../support/broker.js';
import { keyOfAgent, scriptController, startControlledAgent } from '../../support/controlled-agent.js';
import { CONTROL_EXAMPLES } from '../../support/examples.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const HOUR_MS = 3_600_000;
const { welcome } = CONTROL_EXAMPLES;
const WELCOME_MS = Date.parse(welcome.now);

test('promise 9: a node that was suspended without a network starts nothing whose time is over', async (t) => {
  const broker = await startTestBroker(t);
  const directory = temporaryDirectory(t);
  const controller = await scriptController(t, broker, () => keyOfAgent(directory));
  const clock = createSuspendable();
  const agent = await startControlledAgent(t, broker, directory, { clock, random: () => 0.5 });
  await agent.whenWelcomed;
  const nowMs = SYSTEM_CLOCK.nowMs();
  const expires_at = toTime(nowMs + HOUR_MS);
  await controller.send('node_request', controller.request({ spread: '1s', expires_at }));
  await controller.hear('ack');

  controller.welcomeWith(undefined); // nobody tells it the time
  clock.suspend(2 * HOUR_MS);

  const { error_code, launched } = await controller.hear('result');
  assert.deepEqual([error_code, launched], ['expired', 'no']);
});

test('corrected time goes on through a suspend, and is exact while there is none', () => {
  let [monotonicMs, sinceBootMs] = [1_234.5, 50_000];
  const standing = createStanding({ nowMs: () => 0, monotonicMs: () => monotonicMs, sinceBootMs: () => sinceBootMs });
  assert.equal(standing.nowMs(), undefined);
  standing.take(welcome);

  monotonicMs += 0.25;
  assert.equal(standing.nowMs(), WELCOME_MS + 0.25);

  sinceBootMs += 2 * HOUR_MS;
  assert.equal(standing.nowMs(), WELCOME_MS + 2 * HOUR_MS);

  monotonicMs += 10;
  sinceBootMs += 10;
  assert.equal(standing.nowMs(), WELCOME_MS + 2 * HOUR_MS + 10);
});

test('promise 9: a welcome that was on its way through a suspend tells an old time, and is not believed', (t) => {
  const clock = createSuspendable();
  const nonces: string[] = [];
  const greeting = createGreeting({
    say: (nonce) => nonces.push(nonce),
    ...{ intervalMs: HOUR_MS, clock, random: () => 0.5 },
  });
  t.after(greeting.stop);
  greeting.connected();
  const [asleep = ''] = nonces;

  clock.suspend(HOUR_MS);
  assert.equal(greeting.answers(asleep), false);

  greeting.again();
  assert.equal(greeting.answers(nonces[1] ?? ''), true);
});

test('the time since the start of the machine goes on', () => {
  const first = SYSTEM_CLOCK.sinceBootMs();

  assert.ok(first > 0);
  assert.ok(SYSTEM_CLOCK.sinceBootMs() >= first);
});

/** As the clocks of Linux do in a suspend: the monotonic one stands still. */
function createSuspendable(): WakefulClock & Readonly<{ suspend: (ms: number) => void }> {
  let sleptMs = 0;
  return {
    nowMs: () => SYSTEM_CLOCK.nowMs() + sleptMs,
    monotonicMs: SYSTEM_CLOCK.monotonicMs,
    sinceBootMs: () => SYSTEM_CLOCK.sinceBootMs() + sleptMs,
    suspend(ms) {
      sleptMs += ms;
    },
  };
}
