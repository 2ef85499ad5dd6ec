import { z } from 'zod';
import { parsePayload, sha256Hex } from '../../protocol/envelope.js';
import { Request } from '../../protocol/messages/request.js';

/**
 * A request that is believed, with its octets and their SHA-256: signed by the controller, or (`isLocal`) made by a
 * person on the node, who proved who that is.
 */
export type ReceivedRequest = Readonly<{ request: Request; octets: Buffer; sha256: string; isLocal?: boolean }>;

/** How a local request stands in the journal: no payload that a controller may sign has this shape. */
const LocalOctets = z.strictObject({ local: Request });

/** A request that a person on this node makes. */
export function receiveLocally(request: Request): ReceivedRequest {
  const octets = Buffer.from(JSON.stringify({ local: request } satisfies z.infer<typeof LocalOctets>));
  return { request, octets, sha256: sha256Hex(octets), isLocal: true };
}

/**
 * A request from the octets that the journal kept.
 * @throws {MusterError} payload_malformed, payload_invalid: the journal holds what was never accepted
 */
export function rereadRequest(octets: Buffer, sha256: string): ReceivedRequest {
  const kept = parsePayload(Request.or(LocalOctets), octets);
  return 'local' in kept ? { request: kept.local, octets, sha256, isLocal: true } : { request: kept, octets, sha256 };
}
