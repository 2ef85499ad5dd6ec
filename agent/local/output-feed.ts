import { parsePayload } from '../../protocol/envelope.js';
import { Output } from '../../protocol/messages/output.js';
import type { Executor } from '../executor/executor.js';
import type { Journal } from '../journal/contract.js';
import type { Caller } from './conversation.js';

/** Output reaches a caller that wants it live this often; the executor makes pieces of it no more often. */
const LOOK_MS = 250;

/**
 * Passes the output messages of an execution on, no faster than the caller reads: while it runs when `isLive`, and in
 * any case what does not stand in its result. Resolves when it has ended and all is said, or the caller has gone.
 */
export async function feedOutput(
  id: string,
  {
    caller,
    ended,
    isLive,
    executor,
    journal,
  }: {
    caller: Caller;
    ended: Promise<void>;
    isLive: boolean;
    executor: Pick<Executor, 'liveOutput'>;
    journal: Pick<Journal, 'outputOf'>;
  },
): Promise<void> {
  const state = { hasEnded: false, isGone: false, isSlow: false };
  let wake: () => void = () => undefined;
  const change = (changes: Partial<typeof state>): void => {
    Object.assign(state, changes);
    wake();
  };
  const something = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
    });
  void ended.then(() => change({ hasEnded: true }));
  caller.onGone(() => change({ isGone: true }));
  const timer = isLive ? setInterval(() => wake(), LOOK_MS) : undefined;
  try {
    for (let said = 0; ; ) {
      const { hasEnded } = state;
      for (const piece of hasEnded ? journal.outputOf(id, said) : executor.liveOutput(id, said)) {
        while (state.isSlow && !state.isGone) await something();
        if (state.isGone) return;
        said += 1;
        if (caller.say({ kind: 'output', piece: parsePayload(Output, piece) })) continue;
        state.isSlow = true;
        caller.whenReady(() => change({ isSlow: false }));
      }
      if (hasEnded || state.isGone) return;
      if (!state.hasEnded) await something();
    }
  } finally {
    clearInterval(timer);
  }
}
