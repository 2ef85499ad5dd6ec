import type { Capabilities, HookSpec } from '../../protocol/messages/capabilities.js';
import type { NodeRecord } from '../nodes/registry.js';
import type { AuditEntry } from '../store/audit.js';

/** A node has this many pins: one that invents hooks fills neither the memory nor the disk. */
export const MAX_PINS = 1_000;

/** One announcement writes at most this many rows of a kind; `capabilities_changed` has the hash of all of it. */
const MAX_ROWS = 100;

/** What an announcement changes about hooks. */
export type HookChanges = Readonly<{
  /** Hook and checksum, seen for the first time. Beyond the bound a person has to accept a hook before it runs. */
  pins: readonly (readonly [hook: string, checksum: string])[];
  /** How many have another checksum than the pinned one and had it not before. */
  changed: number;
  audit: readonly Omit<AuditEntry, 'atMs' | 'org' | 'actor'>[];
}>;

/** Holds an announcement against what was pinned and what was announced before. A changed hook keeps its pin. */
export function compareHooks({ node, pins, catalogue }: NodeRecord, { hooks }: Capabilities): HookChanges {
  const before = (name: string): HookSpec | undefined => {
    const offer = catalogue?.get(name);
    return offer?.kind === 'hook' ? offer.spec : undefined;
  };
  const subject = (name: string): string => `hook:${node}/${name}`;
  const unique = [...new Map(hooks.map((hook) => [hook.name, hook])).values()];

  const fresh = unique.filter(({ name }) => !pins.has(name)).slice(0, Math.max(0, MAX_PINS - pins.size));
  const changed = unique.filter(({ name, checksum }) => {
    const pinned = pins.get(name);
    return pinned !== undefined && pinned !== checksum && before(name)?.checksum !== checksum;
  });
  const returned = unique.filter(({ name }) => pins.has(name) && before(name) === undefined);
  const confined = unique.flatMap((hook) => {
    const known = before(hook.name);
    const [from, to] = [known === undefined ? undefined : confinementOf(known), confinementOf(hook)];
    return from === undefined || from === to ? [] : [{ name: hook.name, from, to }];
  });
  return {
    pins: fresh.map(({ name, checksum }) => [name, checksum]),
    changed: changed.length,
    audit: [
      ...fresh.slice(0, MAX_ROWS).map((hook) => ({
        event: 'hook_pinned',
        subject: subject(hook.name),
        details: { checksum: hook.checksum, sandbox: confinementOf(hook) },
      })),
      ...returned.slice(0, MAX_ROWS).map((hook) => ({
        event: 'hook_returned',
        subject: subject(hook.name),
        details: { checksum: hook.checksum, sandbox: confinementOf(hook) },
      })),
      ...changed.slice(0, MAX_ROWS).map(({ name, checksum }) => ({
        event: 'hook_changed',
        subject: subject(name),
        details: { checksum, pinned: pins.get(name) ?? null },
      })),
      ...confined.slice(0, MAX_ROWS).map(({ name, from, to }) => ({
        event: 'hook_sandbox_changed',
        subject: subject(name),
        details: { from, to },
      })),
    ],
  };
}

/** What holds a hook in, as text: the checksum covers the hook, not the sidecar that says this. */
function confinementOf({ sandbox, network = false, writable = [] }: HookSpec): string {
  return [sandbox, ...(network ? ['network'] : []), ...writable].join(' ');
}
