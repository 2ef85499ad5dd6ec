import { denialOf, type Principal } from '../protocol/authorization.js';
import { openBrokerToken } from '../protocol/broker-token.js';
import type { KnownKey } from '../protocol/envelope.js';
import { isMusterError } from '../protocol/errors.js';
import type { RevocationSource } from './revocations-file.js';

/** What a CONNECT packet asks for, as far as it decides whether the client may in. */
export type ConnectAsk = Readonly<{
  clientId: string;
  clean: boolean;
  keepAliveSeconds: number;
  username: string | undefined;
  password: string | undefined;
  will: Readonly<{ topic: string; qos: number; retain: boolean }> | undefined;
}>;

/** Who may in until when, and the key that vouches for it. */
export type Admission = Readonly<{
  principal: Principal;
  expiresAtMs: number;
  kid: string;
  /** Of a node: the thumbprint of its key; undefined in passwords of releases before 0.2. */
  nodeKey: string | undefined;
}>;

export const CONNECT_REFUSALS = ['session', 'keep_alive', 'credentials', 'client_id', 'will'] as const;
export type ConnectRefusal = (typeof CONNECT_REFUSALS)[number];

/** A longer keep-alive would hide a dead link for more than half an hour. */
export const MAX_KEEP_ALIVE_SECONDS = 1200;

/** The start of a client id belongs to one role, so that no node can take over the connection of a controller. */
const CLIENT_ID_PREFIXES: ReadonlyMap<Principal['role'], string> = new Map([
  ['controller', 'ctl-'],
  ['monitor', 'mon-'],
]);

/**
 * Whether a client may in. Sessions are clean, so that nothing waits in the broker for a client that is away; the Will
 * is decided now, since nobody could be told later that it was refused.
 */
export function admit(
  ask: ConnectAsk,
  {
    prefix,
    org,
    keyOf,
    isRevoked,
    nowMs,
  }: {
    prefix: string;
    org: string;
    keyOf: (kid: string) => KnownKey | undefined;
    isRevoked: RevocationSource['isRevoked'];
    nowMs: number;
  },
): Admission | ConnectRefusal {
  if (!ask.clean) return 'session';
  if (ask.keepAliveSeconds === 0 || ask.keepAliveSeconds > MAX_KEEP_ALIVE_SECONDS) return 'keep_alive';
  if (ask.username === undefined || ask.password === undefined) return 'credentials';
  const admission = open(ask.password, keyOf, nowMs);
  if (admission === undefined || admission.principal.org !== org) return 'credentials';
  const { principal } = admission;
  if (isVoid(admission, isRevoked)) return 'credentials';
  if (ask.clientId !== principal.id || ask.username !== principal.id || !isIdOfRole(principal)) return 'client_id';
  if (ask.will !== undefined && denialOf(principal, prefix, { operation: 'publish', ...ask.will }) !== undefined)
    return 'will';
  return admission;
}

/** Whether a password that holds was given to a node that has been removed since. */
export function isVoid({ principal, nodeKey }: Admission, isRevoked: RevocationSource['isRevoked']): boolean {
  return principal.role === 'node' && isRevoked(principal.id, nodeKey);
}

/** The CONNACK return code of MQTT 3.1.1 that says it best [MQTT-3.2.2-3, table 3.1]. */
export function returnCodeOf(refusal: ConnectRefusal): 2 | 4 | 5 {
  if (refusal === 'client_id') return 2;
  return refusal === 'credentials' ? 4 : 5;
}

function open(password: string, keyOf: (kid: string) => KnownKey | undefined, nowMs: number): Admission | undefined {
  try {
    return openBrokerToken(password, { keyOf, nowMs });
  } catch (error) {
    if (isMusterError(error)) return undefined;
    throw error;
  }
}

function isIdOfRole({ role, id }: Principal): boolean {
  const own = CLIENT_ID_PREFIXES.get(role);
  if (own !== undefined) return id.startsWith(own);
  return ![...CLIENT_ID_PREFIXES.values()].some((reserved) => id.startsWith(reserved));
}
