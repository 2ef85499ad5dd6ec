import type { Launch } from './part.js';

/** How a part differs from the usual. */
export type PartOptions = Readonly<{
  /** Below the scenario's directory when absent. */
  dataDir?: string;
  /** Puts another program in front: strace, faketime, ip netns exec … */
  wrap?: NonNullable<Launch['wrap']>;
  env?: Readonly<Record<string, string>>;
  /** By its key in the part's section of the configuration. */
  settings?: Readonly<Record<string, string | number | boolean>>;
}>;

/** Where things lie on the rig's disk. */
export type RigPaths = Readonly<{ hooks: string; logs: string; ledger: string; path: string }>;

/** Settings as the environment variables of a part. */
export function settingsEnv(part: string, settings: object): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [`MUSTER_${part}_${key}`.toUpperCase(), String(value)]),
  );
}
