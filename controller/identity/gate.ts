import { MusterError } from '../../protocol/errors.js';

/** Lets costly work begin only so often at once. */
export type Gate = Readonly<{
  /** Runs the work, after those that came before. @throws {MusterError} rate_limited: too many wait already */
  run: <T>(work: () => Promise<T>) => Promise<T>;
}>;

/**
 * A gate that lets `atOnce` run and `waiting` wait, first come first served; what comes then is refused at once, with
 * `refusal` as the sentence.
 */
export function createGate({ atOnce, waiting, refusal }: { atOnce: number; waiting: number; refusal: string }): Gate {
  const queue: (() => void)[] = [];
  let running = 0;

  async function enter(): Promise<void> {
    if (running < atOnce) {
      running += 1;
      return;
    }
    if (queue.length >= waiting) {
      throw new MusterError('rate_limited', refusal);
    }
    await new Promise<void>((resolve) => queue.push(resolve));
  }

  /** The place goes straight to the next, so that nobody who comes now is before it. */
  function leave(): void {
    const next = queue.shift();
    if (next === undefined) running -= 1;
    else next();
  }

  return {
    async run(work) {
      await enter();
      try {
        return await work();
      } finally {
        leave();
      }
    },
  };
}
