import { isAbsolute, normalize } from 'node:path';
import { z } from 'zod';
import { PositiveDuration } from '../../../protocol/durations.js';
import { MAX_CONCURRENCY, MAX_WRITABLE_PATHS } from '../../../protocol/messages/capabilities.js';
import { ParameterSpec } from '../../../protocol/messages/parameters.js';
import { readOwnedFile } from './hook-file.js';
import { BUBBLEWRAP } from './sandbox.js';

const MAX_SIDECAR_BYTES = 64 * 1024;
const MAX_FAULT_LENGTH = 256;

/** A path that a sandbox may open: the root as a whole, and what the kernel shows as files, it may not. */
const WritablePath = z
  .string()
  .max(1024)
  .refine(
    (path) => isAbsolute(path) && normalize(path) === path && !/^\/(?:$|(?:dev|proc|sys)(?:\/|$))|\0|.\/$/.test(path),
    'must be an absolute path without . and .., and not /, /dev, /proc or /sys',
  );

/** What `deploy.sh.json` says of the hook `deploy.sh` (P-76). */
export const Sidecar = z
  .object({
    description: z.string().max(1024).default(''),
    parameters: z.array(ParameterSpec).max(64).default([]),
    timeout: PositiveDuration.optional(),
    sandbox: z
      .string()
      .min(1)
      .max(64)
      .default('none')
      .describe('none or bubblewrap; a hook with any other does not run'),
    network: z.boolean().optional().describe('True: the sandbox has the network of the node'),
    writable: z.array(WritablePath).max(MAX_WRITABLE_PATHS).optional().describe('What the sandbox may write'),
    concurrency: z.int().min(1).max(MAX_CONCURRENCY).optional().describe('How many of it may run at the same time'),
  })
  .refine(
    ({ sandbox, network, writable }) => sandbox === BUBBLEWRAP || (network === undefined && writable === undefined),
    'network and writable mean something only with "sandbox": "bubblewrap"',
  );
export type Sidecar = Readonly<z.infer<typeof Sidecar>>;

/**
 * The `sandbox` of a hook whose sidecar cannot be used. Nobody knows then which sandbox was asked for, and running it
 * in none could be less than that: it is listed, and does not run.
 */
export const UNKNOWN_SANDBOX = 'unknown';

/** A sidecar, and beside it a sentence of what is wrong with the file. */
export type SidecarRead = Readonly<{ sidecar: Sidecar; fault?: string }>;

/** The sidecar of a hook file; defaults where there is none or it cannot be used. */
export async function readSidecar(hookFile: string): Promise<SidecarRead> {
  const read = await readOwnedFile(`${hookFile}.json`, { maxBytes: MAX_SIDECAR_BYTES, isExecutable: false });
  if (read.kind === 'refused') {
    return read.fault === 'missing' ? { sidecar: Sidecar.parse({}) } : unusable(read.fault.replaceAll('_', ' '));
  }
  const text = decodeUtf8(read.content);
  if (text === undefined) return unusable('not UTF-8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return unusable('not JSON');
  }
  const parsed = Sidecar.safeParse(value);
  if (!parsed.success) return unusable(describe(parsed.error));
  const unknown = unknownKeys(value);
  return unknown.length === 0 ? { sidecar: parsed.data } : { sidecar: parsed.data, fault: notUsed(unknown) };
}

/** On one line, since it is shown in tables and logs. */
function describe({ issues }: z.ZodError): string {
  return issues.map(({ path, message }) => [...path.map(String), message].join(': ')).join('; ');
}

/** Undefined for what is not UTF-8; a byte order mark is left out. */
function decodeUtf8(content: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    return undefined;
  }
}

/** A newer release may know them; a slip of the pen in `sandbox` should be seen all the same. */
function unknownKeys(value: unknown): string[] {
  const known: readonly string[] = Object.keys(Sidecar.shape);
  return Object.keys(value ?? {}).filter((key) => !known.includes(key));
}

function notUsed(keys: readonly string[]): string {
  return `not used: ${keys.map((key) => JSON.stringify(key)).join(', ')}`.slice(0, MAX_FAULT_LENGTH);
}

function unusable(fault: string): SidecarRead {
  const sidecar = { ...Sidecar.parse({}), sandbox: UNKNOWN_SANDBOX };
  return { sidecar, fault: `the sidecar cannot be used: ${fault}`.slice(0, MAX_FAULT_LENGTH) };
}
