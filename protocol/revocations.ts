import { z } from 'zod';
import { type KnownKey, openEnvelope, parsePayload, type SigningKey, signEnvelope } from './envelope.js';
import { MusterError } from './errors.js';
import { Id, Time } from './ids.js';

/** No list is longer. An entry leaves it when every password that it is about has ended, so this is what a week removes. */
export const MAX_REVOKED = 20_000;

/** Payload of `muster-revocations`: whose broker passwords are void before their time. */
export const RevocationsPayload = z.object({
  v: z.literal(1),
  org: Id,
  version: z.int().min(1).max(Number.MAX_SAFE_INTEGER).describe('A list with a lower one than was seen is refused'),
  issued_at: Time,
  nodes: z
    .array(z.object({ node: Id, node_key: z.string().length(43) }))
    .max(MAX_REVOKED)
    .describe('Nodes that were removed, each with the thumbprint of the key that it had'),
});
export type RevocationsPayload = Readonly<z.infer<typeof RevocationsPayload>>;

/** A list that held. */
export type Revocations = Readonly<{
  version: number;
  size: number;
  /** Whether a password of this node, given for this key, is void. One that names no key is void with its node's name. */
  has: (node: string, nodeKey: string | undefined) => boolean;
}>;

const MAX_BYTES = 4 * 1024 * 1024;

/** Signs a list with a key of the key list. */
export function signRevocations(payload: RevocationsPayload, signer: SigningKey): string {
  return signEnvelope('muster-revocations', JSON.stringify(payload), signer);
}

/**
 * Opens a list. The caller refuses a lower `version` than it has seen.
 * @throws {MusterError} a refusal of openEnvelope or parsePayload, wrong_audience
 */
export function openRevocations(
  jws: string,
  { org, keyOf }: { org: string; keyOf: (kid: string) => KnownKey | undefined },
): Revocations {
  const { payload } = openEnvelope(jws, { typ: 'muster-revocations', maxBytes: MAX_BYTES, keyOf });
  const list = parsePayload(RevocationsPayload, payload);
  if (list.org !== org) throw new MusterError('wrong_audience', `the revocations are of the org ${list.org}`);
  const keys = new Set(list.nodes.map(({ node_key }) => node_key));
  const nodes = new Set(list.nodes.map(({ node }) => node));
  return {
    version: list.version,
    size: list.nodes.length,
    has: (node, nodeKey) => (nodeKey === undefined ? nodes.has(node) : keys.has(nodeKey)),
  };
}
