import type { z } from 'zod';
import {
  type EnvelopeType,
  type OpenedEnvelope,
  openEnvelope,
  openEnvelopeAside,
  parsePayload,
} from '../../protocol/envelope.js';
import { MusterError } from '../../protocol/errors.js';
import type { IncomingMessage } from '../../runtime/mqtt-session.js';
import type { NodeRecord, Registry } from '../nodes/registry.js';

/** What every message of a node is judged by. */
export type Judge = Readonly<{ registry: Registry; org: string; maxPacketBytes: number }>;

/** A message that its node signed. */
export type NodeMessage<T> = Readonly<{ record: NodeRecord; payload: Buffer; value: T }>;

type Addressed = Readonly<{ node: string; org: string }>;

type Expected<T> = Readonly<{ typ: EnvelopeType; schema: z.ZodType<T> }>;

/**
 * Opens a message from a node: the signature holds under a key that is enrolled, and key, topic, node and org agree.
 * @throws {MusterError} a refusal of openEnvelope or parsePayload, wrong_audience, unknown_key
 */
export function openNodeMessage<T extends Addressed>(
  judge: Judge,
  message: IncomingMessage,
  { typ, schema }: Expected<T>,
): NodeMessage<T> {
  return addressedMessage(judge, message, { schema, opened: openEnvelope(message.payload, heldAgainst(judge, typ)) });
}

/**
 * Like {@link openNodeMessage}, with the signature checked on the thread pool.
 * @throws {MusterError} as openNodeMessage, always by its promise
 */
export async function openNodeMessageAside<T extends Addressed>(
  judge: Judge,
  message: IncomingMessage,
  { typ, schema }: Expected<T>,
): Promise<NodeMessage<T>> {
  const opened = await openEnvelopeAside(message.payload, heldAgainst(judge, typ));
  return addressedMessage(judge, message, { schema, opened });
}

function heldAgainst({ registry, maxPacketBytes: maxBytes }: Judge, typ: EnvelopeType) {
  return { typ, maxBytes, keyOf: registry.keyOf };
}

/** The key is looked for again: its node may have been removed while the signature was checked. */
function addressedMessage<T extends Addressed>(
  { registry, org }: Judge,
  { levels }: IncomingMessage,
  { schema, opened: { kid, payload } }: Readonly<{ schema: z.ZodType<T>; opened: OpenedEnvelope }>,
): NodeMessage<T> {
  const value: T = parsePayload(schema, payload);
  const signer = registry.keyOf(kid)?.node;
  const record = signer === undefined ? undefined : registry.get(signer);
  if (record === undefined) throw new MusterError('unknown_key', 'the node is not enrolled');
  if (signer !== levels.node || value.node !== levels.node || value.org !== org) {
    throw new MusterError('wrong_audience', 'key, topic, node and org do not agree');
  }
  return { record, payload, value };
}
