import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Capabilities } from '../../protocol/messages/capabilities.js';
import { VERSION } from '../../runtime/version.js';
import { fitting } from './fitting.js';
import type { Registry } from './registry.js';

/** What of the payload is not in the registry. `maxBytes` bounds its JSON, so that the signed message fits a packet. */
export type CapabilitiesSource = Readonly<{
  node: string;
  org: string;
  registry: Registry;
  binary: NonNullable<Capabilities['binary']>;
  limits: Capabilities['limits'];
  containers?: Capabilities['containers'];
  /** There may be containers beside these: their engine has not told yet. */
  hasUnlisted?: boolean;
  terminals?: Capabilities['terminals'];
  maxBytes: number;
}>;

/** The protocol takes so many containers of a node. */
const MAX_CONTAINERS = 500;

/** Containers take at most this share of the payload, so that they push out no hooks. */
const CONTAINERS_SHARE = 0.25;

/**
 * Payload of `muster-capabilities` (P-93). Containers and hooks that do not fit are left out from the end of their lists,
 * and `limits.containers_left_out` and `limits.hooks_left_out` say how many. While the containers are not known yet it is
 * at least one: whoever asks something of a container that is not there then is asked for what a protected one needs.
 */
export function buildCapabilities({
  registry,
  maxBytes,
  hasUnlisted = false,
  ...source
}: CapabilitiesSource): Capabilities {
  const { builtins, hooks } = registry.describe();
  const offered = source.containers ?? [];
  const containers = fitting(offered.slice(0, MAX_CONTAINERS), maxBytes * CONTAINERS_SHARE).fits;
  const containersLeftOut = Math.max(offered.length - containers.length, hasUnlisted ? 1 : 0);
  const build = (listed: typeof hooks, leftOut: Readonly<Record<string, number>>): Capabilities => ({
    v: 1,
    node: source.node,
    org: source.org,
    binary: source.binary,
    builtin_actions: builtins,
    hooks: listed,
    containers,
    terminals: source.terminals ?? [],
    limits: {
      ...source.limits,
      ...(containersLeftOut > 0 ? { containers_left_out: containersLeftOut } : {}),
      ...leftOut,
    },
  });
  const room = maxBytes - jsonBytes(build([], { hooks_left_out: hooks.length }));
  const { fits, leftOut } = fitting(hooks, room);
  return build(fits, leftOut > 0 ? { hooks_left_out: leftOut } : {});
}

/** Name, release and SHA-256 of the program file; the SHA-256 is empty when the file cannot be read. */
export async function describeBinary(file: string): Promise<NonNullable<Capabilities['binary']>> {
  const name = basename(file).slice(0, 64);
  try {
    const hash = createHash('sha256');
    await pipeline(createReadStream(file), hash);
    return { name, version: VERSION, sha256: hash.digest('hex') };
  } catch {
    return { name, version: VERSION, sha256: '' };
  }
}

function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
