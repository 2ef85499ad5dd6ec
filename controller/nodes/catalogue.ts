import { isIP } from 'node:net';
import { sha256Hex } from '../../protocol/envelope.js';
import { MusterError } from '../../protocol/errors.js';
import type { ActionSpec, Capabilities, HookSpec } from '../../protocol/messages/capabilities.js';
import type { ParameterSpec, Parameters, ParameterValue } from '../../protocol/messages/parameters.js';

/** What a node offers under one name. */
export type Offer =
  | Readonly<{ kind: 'builtin'; spec: ActionSpec }>
  | Readonly<{ kind: 'hook'; spec: HookSpec; checksum: string }>;

/** Everything that a node offers, by action name. */
export type Catalogue = ReadonlyMap<string, Offer>;

/** Makes catalogues; nodes that announce the same share one object, so that a fleet is compared once. */
export type CatalogueCache = Readonly<{ of: (capabilities: Capabilities) => Catalogue }>;

/** Beyond this many different catalogues the oldest is made anew when it is met again. */
const MAX_CACHED = 256;

export function createCatalogueCache(): CatalogueCache {
  const known = new Map<string, Catalogue>();
  return {
    of(capabilities) {
      const { builtin_actions, hooks } = capabilities;
      const digest = sha256Hex(JSON.stringify([builtin_actions, hooks]));
      const cached = known.get(digest);
      if (cached !== undefined) return cached;
      const catalogue = toCatalogue(capabilities);
      known.set(digest, catalogue);
      const oldest = known.size > MAX_CACHED ? known.keys().next().value : undefined;
      if (oldest !== undefined) known.delete(oldest);
      return catalogue;
    },
  };
}

/** A built-in hides a hook of the same name, as it does on the node. */
function toCatalogue({ builtin_actions, hooks }: Capabilities): Catalogue {
  const offers = new Map<string, Offer>();
  for (const spec of hooks) offers.set(spec.name, { kind: 'hook', spec, checksum: spec.checksum });
  for (const spec of builtin_actions) offers.set(spec.name, { kind: 'builtin', spec });
  return offers;
}

/**
 * SHA-256 of what runs under a name: a built-in, or a hook with its checksum and what its sandbox lets it reach. Whoever
 * approves beforehand has looked at this, and at nothing that comes in its place (S-A-42).
 */
export function definitionOf(offer: Offer): string {
  if (offer.kind === 'builtin') return sha256Hex(JSON.stringify([offer.kind]));
  const { sandbox, network = false, writable = [] } = offer.spec;
  return sha256Hex(JSON.stringify([offer.kind, offer.checksum, sandbox, network, writable]));
}

/**
 * Holds parameters against the announced specification. A built-in takes no name that it does not announce; a hook
 * does, since its sidecar need not list what it reads from the environment.
 * @throws {MusterError} missing_required_parameter, invalid_parameter
 */
export function checkParameters({ kind, spec }: Offer, parameters: Parameters): void {
  const specs = new Map(spec.parameters.map((each) => [each.name, each]));
  for (const { name, required, default: fallback } of specs.values()) {
    if (required && fallback === undefined && !Object.hasOwn(parameters, name))
      throw new MusterError('missing_required_parameter', `${spec.name} needs the parameter ${name}`);
  }
  for (const [name, value] of Object.entries(parameters)) {
    const wanted = specs.get(name);
    if (wanted === undefined) {
      if (kind === 'hook') continue;
      throw new MusterError('invalid_parameter', `${spec.name} has no parameter ${name}`);
    }
    if (!fits(wanted, value))
      throw new MusterError('invalid_parameter', `${spec.name}: the parameter ${name} must be ${NOUNS[wanted.type]}`);
  }
}

const NOUNS: Readonly<Record<ParameterSpec['type'], string>> = {
  string: 'a string',
  number: 'a number',
  boolean: 'true or false',
  integer: 'a whole number',
  ip: 'an IP address',
};

function fits({ type }: ParameterSpec, value: ParameterValue): boolean {
  if (type === 'integer') return Number.isSafeInteger(value);
  if (type === 'ip') return typeof value === 'string' && isIP(value) !== 0;
  return typeof value === type;
}
