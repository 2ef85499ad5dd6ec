import type { z } from 'zod';
import { type EnvelopeType, openEnvelope, parsePayload } from '../../protocol/envelope.js';
import { MusterError } from '../../protocol/errors.js';
import type { IncomingMessage } from '../../runtime/mqtt-session.js';
import type { NodeRecord, Registry } from '../nodes/registry.js';

/** What every message of a node is judged by. */
export type Judge = Readonly<{ registry: Registry; org: string; maxPacketBytes: number }>;

/** A message that its node signed. */
export type NodeMessage<T> = Readonly<{ record: NodeRecord; payload: Buffer; value: T }>;

type Addressed = Readonly<{ node: string; org: string }>;

/**
 * Opens a message from a node: the signature holds under a key that is enrolled, and key, topic, node and org agree.
 * @throws {MusterError} a refusal of openEnvelope or parsePayload, wrong_audience, unknown_key
 */
export function openNodeMessage<T extends Addressed>(
  { registry, org, maxPacketBytes }: Judge,
  { levels, payload: message }: IncomingMessage,
  { typ, schema }: { typ: EnvelopeType; schema: z.ZodType<T> },
): NodeMessage<T> {
  const { kid, payload } = openEnvelope(message, { typ, maxBytes: maxPacketBytes, keyOf: registry.keyOf });
  const value: T = parsePayload(schema, payload);
  const signer = registry.keyOf(kid)?.node;
  if (signer !== levels.node || value.node !== levels.node || value.org !== org) {
    throw new MusterError('wrong_audience', 'key, topic, node and org do not agree');
  }
  const record = registry.get(value.node);
  if (record === undefined) throw new MusterError('unknown_key', 'the node is not enrolled');
  return { record, payload, value };
}
