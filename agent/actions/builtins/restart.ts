import { access, constants } from 'node:fs/promises';
import { z } from 'zod';
import { awayMs, type OwnProcess } from '../../machine.js';
import type { Action } from '../action.js';
import { whenFired } from '../waiting.js';
import { failed, notWritten, printJson } from './answers.js';

/** The drain of a stop and the start of the next process fit into it as shipped. */
const TIMEOUT_MS = 300_000;

/** What `restart` prints, once the next process is there. */
export const Restart = z.object({
  message: z.literal('Agent restarted'),
  away_ms: z.int().describe('From the end of the one process to the start of the next'),
});
export type Restart = Readonly<z.infer<typeof Restart>>;

/**
 * Ends the agent in order, so that its supervisor, or it itself, starts it again. Done is what the next process says
 * (F-63, promise 24).
 */
export function restart({ machine, files, leave }: OwnProcess): Action {
  return {
    name: 'restart',
    description: 'Restarts the agent; what runs is waited for as in any stop, and the next process reports it done',
    risk: 'write',
    parameters: [],
    timeoutMs: TIMEOUT_MS,
    prints: Restart,
    async run({ output, handOver, signal }) {
      for (const file of files) {
        const isThere = await access(file, constants.R_OK).then(
          () => true,
          () => false,
        );
        if (!isThere) return failed(output, `Restart failed: ${file} cannot be read, so it would not start again`);
      }
      if (!(await handOver?.(0))) return notWritten('Restart failed');
      if (signal.aborted) return failed(output, 'Restart failed: it was cancelled before');
      leave();
      return { kind: 'handed_over' };
    },
    async follow({ handover, leaving, output }) {
      if (handover.process_id === machine.processId) {
        await whenFired(leaving);
        return { kind: 'left' };
      }
      printJson<Restart>(output, { message: 'Agent restarted', away_ms: awayMs(handover, machine) });
      return { kind: 'exited', exitCode: 0 };
    },
  };
}
