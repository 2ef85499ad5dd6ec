import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Capabilities } from '../../protocol/messages/capabilities.js';
import { VERSION } from '../../runtime/version.js';
import type { Registry } from './registry.js';

/** What of the payload is not in the registry. `maxBytes` bounds its JSON, so that the signed message fits a packet. */
export type CapabilitiesSource = Readonly<{
  node: string;
  org: string;
  registry: Registry;
  binary: NonNullable<Capabilities['binary']>;
  limits: Capabilities['limits'];
  containers?: Capabilities['containers'];
  terminals?: Capabilities['terminals'];
  maxBytes: number;
}>;

/**
 * Payload of `muster-capabilities` (P-93). Hooks that do not fit are left out from the end of the list, and
 * `limits.hooks_left_out` says how many.
 */
export function buildCapabilities({ registry, maxBytes, ...source }: CapabilitiesSource): Capabilities {
  const { builtins, hooks } = registry.describe();
  const build = (listed: typeof hooks): Capabilities => ({
    v: 1,
    node: source.node,
    org: source.org,
    binary: source.binary,
    builtin_actions: builtins,
    hooks: listed,
    containers: source.containers ?? [],
    terminals: source.terminals ?? [],
    limits:
      listed.length < hooks.length
        ? { ...source.limits, hooks_left_out: hooks.length - listed.length }
        : { ...source.limits },
  });
  let roomBytes = maxBytes - jsonBytes({ ...build([]), limits: { ...source.limits, hooks_left_out: hooks.length } });
  const fitting = hooks.findIndex((hook) => {
    roomBytes -= jsonBytes(hook) + 1;
    return roomBytes < 0;
  });
  return build(fitting === -1 ? hooks : hooks.slice(0, fitting));
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
