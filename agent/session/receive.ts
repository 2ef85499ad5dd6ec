import { z } from 'zod';
import {
  type OpenedEnvelope,
  openEnvelope,
  openEnvelopeAside,
  parsePayload,
  sha256Hex,
} from '../../protocol/envelope.js';
import { isMusterError, MusterError } from '../../protocol/errors.js';
import { Control } from '../../protocol/messages/control.js';
import { Request } from '../../protocol/messages/request.js';
import type { IncomingMessage } from '../../runtime/mqtt-session.js';
import { isMember, type Standing } from '../executor/admission.js';
import type { ReceivedRequest } from '../executor/received.js';
import type { TrustedKeys } from '../keys.js';

/** What a message is held against. */
export type ReceiveContext = Readonly<{
  org: string;
  node: string;
  processId: string;
  keys: TrustedKeys;
  maxPacketBytes: number;
  standing: () => Standing | undefined;
  /** True the first time that this control id comes. */
  isFirst: (controlId: string, expiresAtMs: number) => boolean;
  /** A signed control came too late: it is old, or the controller's clock was set and ours goes by the old one. */
  onLate: () => void;
}>;

/**
 * A request that is believed and for this node: signature, schema, org, and topic agree. Whether it may run is the
 * executor's to say.
 * @throws {MusterError} a refusal of openEnvelope or parsePayload, wrong_audience
 */
export function openRequest(message: IncomingMessage, context: ReceiveContext): ReceivedRequest {
  return addressedRequest(message, openEnvelope(message.payload, signedRequest(context)), context);
}

/**
 * Like {@link openRequest}, with the signature checked on the thread pool.
 * @throws {MusterError} as openRequest, always by its promise
 */
export async function openRequestAside(message: IncomingMessage, context: ReceiveContext): Promise<ReceivedRequest> {
  return addressedRequest(message, await openEnvelopeAside(message.payload, signedRequest(context)), context);
}

function signedRequest({ keys, maxPacketBytes: maxBytes }: ReceiveContext) {
  return { typ: 'muster-request', maxBytes, keyOf: keys.keyOf } as const;
}

/** @throws {MusterError} a refusal of parsePayload, wrong_audience */
function addressedRequest(
  { kind, levels }: IncomingMessage,
  { payload: octets }: OpenedEnvelope,
  context: ReceiveContext,
): ReceivedRequest {
  const { org, node } = context;
  const request = parsePayload(Request, octets);
  const { target } = request;
  if (request.org !== org) throw new MusterError('wrong_audience', `the request is for org ${request.org}`);
  if ('node' in target && target.node !== node)
    throw new MusterError('wrong_audience', `the request is for node ${target.node}`);
  if (kind === 'group_request' && !('group' in target && target.group === levels.group)) {
    throw new MusterError('wrong_audience', 'the target is not the group of the topic');
  }
  if (kind === 'fleet_request' && !('fleet' in target))
    throw new MusterError('wrong_audience', 'the target is not the fleet');
  const standing = context.standing();
  // On its own topic a node answers wrong_target; on a shared one everybody who is not meant keeps silent.
  if (kind !== 'node_request' && standing !== undefined && !isMember(request, standing)) {
    throw new MusterError('wrong_audience', 'the node was not a member of the target at roster_at');
  }
  return { request, octets, sha256: sha256Hex(octets) };
}

/**
 * A control that is believed, for this node and process, in its time, and new. Before the first welcome only a welcome
 * and an announce count, since no clock can be trusted.
 * @throws {MusterError} a refusal of openEnvelope or parsePayload, wrong_audience, stale, replayed
 */
export function openControl(
  { payload }: IncomingMessage,
  context: ReceiveContext,
): { control: Control; sha256: string } {
  const { org, node, processId } = context;
  const octets = openControlEnvelope(payload, context);
  const control = parsePayload(Control, octets);
  if (control.org !== org || control.node !== node)
    throw new MusterError('wrong_audience', 'the control is for another node');
  if ('process_id' in control && control.process_id !== processId) {
    throw new MusterError('stale', 'the control is for another process of this node');
  }
  const expiresAtMs = Date.parse(control.expires_at);
  const nowMs = context.standing()?.nowMs;
  if (control.kind !== 'welcome') {
    if (nowMs === undefined && control.kind !== 'announce')
      throw new MusterError('stale', 'the control came before a welcome');
    if (nowMs !== undefined && nowMs >= expiresAtMs) {
      context.onLate();
      throw new MusterError('stale', 'the control has expired');
    }
  }
  if (!context.isFirst(control.control_id, expiresAtMs)) throw new MusterError('replayed', 'the control came before');
  return { control, sha256: sha256Hex(octets) };
}

/**
 * The signed octets of a control. A node that was away while the controller changed its keys knows none of them: a
 * welcome brings the newer list, which the pinned root has signed. So the list alone is believed first, by that
 * signature, and then the welcome by the list.
 */
function openControlEnvelope(message: Buffer, { keys, maxPacketBytes: maxBytes }: ReceiveContext): Buffer {
  const open = (): Buffer => openEnvelope(message, { typ: 'muster-control', maxBytes, keyOf: keys.keyOf }).payload;
  try {
    return open();
  } catch (error) {
    const isOurLack = isMusterError(error, 'unknown_key') || isMusterError(error, 'key_list_expired');
    const list = isOurLack ? keyListIn(message) : undefined;
    if (list === undefined || !keys.renew(list)) throw error;
    return open();
  }
}

const CarriesKeys = z.object({ keys: z.string().max(16 * 1024) });

/** The key list that an unbelieved control carries; undefined when it carries none. */
function keyListIn(message: Buffer): string | undefined {
  try {
    const [, payload = ''] = message.toString('latin1').split('.');
    return CarriesKeys.parse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))).keys;
  } catch {
    return undefined;
  }
}

/** Control ids are remembered this long past their end. */
const KEEP_MS = 60_000;
/** How often it is looked which ids may be forgotten. */
const SWEEP_MS = 1_000;

/** Remembers control ids until they have expired. `nowMs` is the corrected time, undefined before a welcome. */
export function createOnce(nowMs: () => number | undefined): (id: string, expiresAtMs: number) => boolean {
  const seen = new Map<string, number>();
  let sweptMs = Number.NEGATIVE_INFINITY;

  function sweep(now: number): void {
    if (Math.abs(now - sweptMs) < SWEEP_MS) return; // corrected time goes back when the controller's clock is set back
    sweptMs = now;
    // All of them: what came while the controller's clock was ahead ends after what comes later.
    for (const [id, untilMs] of seen) if (untilMs + KEEP_MS < now) seen.delete(id);
  }

  return (id, expiresAtMs) => {
    if (seen.has(id)) return false;
    const now = nowMs();
    if (now !== undefined) sweep(now);
    seen.set(id, expiresAtMs);
    return true;
  };
}
