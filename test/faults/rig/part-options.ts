import type { Launch, Part } from './part.js';

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

export type RigOptions = Readonly<{
  agent?: PartOptions;
  controller?: PartOptions;
  /** A second controller, which needs a store that both can use: `store_url` among the settings of the controller. */
  secondController?: boolean;
  /** A function makes a broker of another kind, which has to listen on this port of 127.0.0.1. */
  broker?: PartOptions | ((port: number) => Part);
  /** Where agents reach the broker, when something stands in between. */
  brokerUrlForAgent?: (brokerUrl: string) => string | Promise<string>;
  /** Where the controller reaches it; called before the broker is started. */
  brokerUrlForController?: (brokerUrl: string) => string | Promise<string>;
}>;

/** Where things lie on the rig's disk. */
export type RigPaths = Readonly<{ hooks: string; logs: string; ledger: string; path: string }>;

/** Settings as the environment variables of a part. */
export function settingsEnv(part: string, settings: object): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [`MUSTER_${part}_${key}`.toUpperCase(), String(value)]),
  );
}
