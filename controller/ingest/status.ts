import { parsePayload } from '../../protocol/envelope.js';
import { MusterError } from '../../protocol/errors.js';
import { Status } from '../../protocol/messages/status.js';
import type { IncomingMessage } from '../../runtime/mqtt-session.js';
import type { Presence } from '../nodes/presence.js';
import type { Registry } from '../nodes/registry.js';

/**
 * Takes a status: nobody signs it, so it only says whom offers would not reach now. `online` says nothing, since a node
 * that is there says hello.
 * @throws {MusterError} a refusal of parsePayload, envelope_too_large, stale
 */
export function takeStatus(
  { registry, presence, maxPacketBytes }: { registry: Registry; presence: Presence; maxPacketBytes: number },
  { levels: { node = '' }, payload }: IncomingMessage,
): void {
  if (payload.length === 0) return;
  if (payload.length > maxPacketBytes) throw new MusterError('envelope_too_large', 'the status is too large');
  const { state, process_id, connection } = parsePayload(Status, payload);
  if (state === 'online') return;
  const record = registry.get(node);
  if (record?.processId !== process_id || connection < record.connection) {
    throw new MusterError('stale', 'the status is from an earlier connection or process');
  }
  presence.disconnected(node);
}
