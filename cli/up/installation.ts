import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { isMusterError } from '../../protocol/errors.js';
import { claimDataDir } from '../../runtime/data-dir.js';

/** Where each part of one `muster up` keeps its files, below the data directory. */
export type Installation = Readonly<{
  directory: string;
  controller: string;
  agent: string;
  hooks: string;
  logs: string;
}>;

/** Makes the folders of an installation (0700); `hooks` is where they lie, when that is elsewhere. */
export function makeInstallation(directory: string, hooks?: string): Installation {
  const installation = {
    directory,
    controller: join(directory, 'controller'),
    agent: join(directory, 'agent'),
    hooks: join(directory, 'hooks'),
    logs: join(directory, 'logs'),
  };
  for (const path of Object.values(installation)) mkdirSync(path, { recursive: true, mode: 0o700 });
  return { ...installation, ...(hooks === undefined ? {} : { hooks }) };
}

/** How long the parts of an installation that was killed may take to end. */
const ENDING_MS = 20_000;
const LOOK_MS = 100;

/**
 * Resolves once no part uses the installation any more: those of a `muster up` that was killed end a moment after it.
 * @throws {MusterError} already_running when they do not
 */
export async function whenFree({ controller, agent }: Installation): Promise<void> {
  for (const directory of [controller, agent]) {
    for (const endMs = performance.now() + ENDING_MS; ; ) {
      try {
        await (await claimDataDir(directory)).release();
        break;
      } catch (error) {
        if (!isMusterError(error, 'already_running') || performance.now() > endMs) throw error;
        await new Promise((later) => setTimeout(later, LOOK_MS));
      }
    }
  }
}
