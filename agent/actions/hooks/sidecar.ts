import { z } from 'zod';
import { PositiveDuration } from '../../../protocol/durations.js';
import { ParameterSpec } from '../../../protocol/messages/parameters.js';
import { readOwnedFile } from './hook-file.js';

const MAX_SIDECAR_BYTES = 64 * 1024;

/** What `deploy.sh.json` says of the hook `deploy.sh` (P-76). */
export const Sidecar = z.object({
  description: z.string().max(1024).default(''),
  parameters: z.array(ParameterSpec).max(64).default([]),
  timeout: PositiveDuration.optional(),
  sandbox: z.string().min(1).max(64).default('none').describe('none or bubblewrap; a hook with any other does not run'),
});
export type Sidecar = Readonly<z.infer<typeof Sidecar>>;

/**
 * The `sandbox` of a hook whose sidecar cannot be used. Nobody knows then which sandbox was asked for, and running it
 * in none could be less than that: it is listed, and does not run.
 */
export const UNKNOWN_SANDBOX = 'unknown';

/** The sidecar of a hook file; defaults where there is none, and `fault` beside them where it cannot be used. */
export async function readSidecar(hookFile: string): Promise<Readonly<{ sidecar: Sidecar; fault?: string }>> {
  const read = await readOwnedFile(`${hookFile}.json`, { maxBytes: MAX_SIDECAR_BYTES, isExecutable: false });
  if (read.kind === 'refused') {
    return read.fault === 'missing' ? { sidecar: Sidecar.parse({}) } : unusable(read.fault);
  }
  try {
    const parsed = Sidecar.safeParse(JSON.parse(read.content.toString('utf8')));
    return parsed.success ? { sidecar: parsed.data } : unusable(z.prettifyError(parsed.error));
  } catch {
    return unusable('not JSON');
  }
}

function unusable(fault: string): { sidecar: Sidecar; fault: string } {
  return { sidecar: { ...Sidecar.parse({}), sandbox: UNKNOWN_SANDBOX }, fault };
}
