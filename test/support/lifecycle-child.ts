import { setTimeout as delay } from 'node:timers/promises';
import { MusterError } from '../../protocol/errors.js';
import { announceReady, type Running, runProcess } from '../../runtime/lifecycle.js';
import { createLogger } from '../../runtime/logger.js';

// A part that does as its first argument says, under the real life cycle.
const mode = process.argv[2];
const STOP_LIMIT_MS = 100;

const start = async (stopAsked: AbortSignal): Promise<Running> => {
  if (mode === 'foreseen') throw new MusterError('config_invalid', 'The configuration has a fault:\n  - agent.x');
  if (mode === 'bug-at-start') throw new TypeError('x is not a function');
  const work = setInterval(() => undefined, 60_000);
  if (mode === 'patient-start' || mode === 'deaf-start' || mode === 'stubborn-start') {
    process.stderr.write('starting\n');
    await new Promise<void>((resolve) => {
      if (mode !== 'deaf-start') stopAsked.addEventListener('abort', () => resolve(), { once: true });
    });
    clearInterval(work);
    if (mode === 'patient-start') throw new MusterError('unavailable', 'There was no time to start');
  }
  announceReady({ port: 1 });
  if (mode === 'bug-later') setImmediate(() => void Promise.reject(new TypeError('x is not a function')));
  return {
    ...(mode === 'leaving' || mode === 'left-alone' ? { whenLeaving: Promise.resolve() } : {}),
    ...(mode === 'long-drain' ? { drainMs: 60_000 } : {}),
    async stop(hurry) {
      clearInterval(work);
      process.stderr.write('draining\n');
      if (mode === 'long-drain') await delay(3 * STOP_LIMIT_MS);
      if (mode === 'busy' || mode === 'hanging-stop') {
        const patience = setInterval(() => undefined, 60_000);
        await new Promise((resolve) => {
          if (mode === 'busy') hurry.addEventListener('abort', resolve, { once: true });
        });
        clearInterval(patience);
      }
      if (mode === 'bad-stop') throw new Error('cannot stop');
    },
  };
};

const isBounded = mode === 'long-drain' || mode === 'hanging-stop';
const startAgain = async (): Promise<number> => {
  await delay(3 * STOP_LIMIT_MS); // the limit of the stop must not end what comes after it
  process.stderr.write('started again\n');
  return 3;
};
await runProcess(createLogger('part'), start, {
  ...(isBounded || mode === 'leaving' ? { stopLimitMs: STOP_LIMIT_MS } : {}),
  ...(mode === 'leaving' ? { startAgain } : {}),
});
