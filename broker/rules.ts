import type { AedesOptions, Client } from 'aedes';
import { denialOf } from '../protocol/authorization.js';
import type { KnownKey } from '../protocol/envelope.js';
import type { Clock } from '../runtime/clock.js';
import { admit, type ConnectAsk, type ConnectRefusal, returnCodeOf } from './authentication.js';
import type { ClientRecord, Clients } from './clients.js';
import type { BrokerConfig } from './config.js';
import type { NoteDenial } from './denials.js';
import type { BrokerMetrics } from './metrics.js';
import type { RevocationSource } from './revocations-file.js';
import { createThrottle } from './throttle.js';

/** A client of ours holds at most 20 filters (16 groups, its own, the fleet's); hosts of other makes may split more. */
export const MAX_FILTERS_PER_CLIENT = 64;

/** Where a refused message goes: nobody may subscribe to it. */
const DISCARDED = '$void';

/** What the rules are made from. */
export type RuleDeps = Readonly<{
  config: BrokerConfig;
  clients: Clients;
  keyOf: (kid: string) => KnownKey | undefined;
  isRevoked: RevocationSource['isRevoked'];
  metrics: BrokerMetrics;
  deny: NoteDenial;
  clock: Clock;
}>;

type Rules = Required<
  Pick<
    AedesOptions,
    'preConnect' | 'authenticate' | 'authorizePublish' | 'authorizeSubscribe' | 'authorizeForward' | 'published'
  >
>;

/** The questions that the MQTT library asks, answered from `admit` and `denialOf`. */
export function createRules(deps: RuleDeps): Rules {
  return {
    preConnect(client, packet, callback) {
      const record = deps.clients.of(client);
      if (record !== undefined) record.ask = toAsk(packet);
      callback(null, record !== undefined);
    },
    authenticate(client, _username, _password, callback) {
      const record = deps.clients.of(client);
      const refusal = record === undefined ? 'credentials' : authenticate(record, deps);
      if (refusal === undefined) return callback(null, true);
      deps.deny(refusal, { clientId: client.id.slice(0, 64), address: record?.address });
      callback(Object.assign(new Error(refusal), { returnCode: returnCodeOf(refusal) }), null);
    },
    ...createPublishRules(deps),
    ...createReadRules(deps),
  };
}

function authenticate(record: ClientRecord, deps: RuleDeps): ConnectRefusal | undefined {
  const { config, clock, keyOf, isRevoked } = deps;
  if (record.ask === undefined) return 'credentials';
  const { prefix, org } = config;
  const admission = admit(record.ask, { prefix, org, keyOf, isRevoked, nowMs: clock.nowMs() });
  record.ask = undefined; // it holds the password
  if (typeof admission === 'string') return admission;
  record.admission = admission;
  record.guard.allowPackets(config.max_packet_bytes);
  if (admission.principal.role !== 'controller') {
    record.guard.boundOutput(config.max_out_buffer_bytes);
    record.throttle = createThrottle({ perSecond: config.max_in_rate, clock });
  }
  return undefined;
}

/**
 * A refused PUBLISH of QoS 0 or 1 is acknowledged, reaches nobody, and then the connection is closed. Without the
 * acknowledgement the sender would send it again on every reconnect and never get past it [MQTT-3.3.5-2].
 */
function createPublishRules({
  config,
  clients,
  metrics,
  deny,
}: RuleDeps): Pick<Rules, 'authorizePublish' | 'published'> {
  return {
    authorizePublish(client, packet, callback) {
      const record = client === null ? undefined : clients.of(client);
      if (record?.admission === undefined) return callback(new Error('not admitted'));
      const { topic, qos, retain } = packet;
      const denial = denialOf(record.admission.principal, config.prefix, { operation: 'publish', topic, qos, retain });
      if (denial === undefined) {
        metrics.countIn();
        // The Will of a connection that has just ended must not wait: nobody would release it.
        return record.client.closed ? callback(null) : record.throttle.pass(() => callback(null));
      }
      deny(denial, { clientId: record.admission.principal.id, operation: 'publish', topic: topic.slice(0, 256) });
      if (qos === 2) return callback(new Error('QoS 2 is refused'));
      packet.topic = DISCARDED;
      packet.payload = '';
      packet.retain = false;
      callback(null);
    },
    published(packet, client: Client | null, callback) {
      if (packet.topic === DISCARDED) client?.conn.end(() => client.conn.destroy());
      callback(null);
    },
  };
}

/** A refused filter is answered with 0x80; a delivery that the table does not allow is dropped. */
function createReadRules({
  config,
  clients,
  metrics,
  deny,
}: RuleDeps): Pick<Rules, 'authorizeSubscribe' | 'authorizeForward'> {
  return {
    authorizeSubscribe(client, subscription, callback) {
      const record = clients.of(client);
      if (record?.admission === undefined) return callback(new Error('not admitted'));
      const { topic: filter, qos } = subscription;
      const denial =
        denialOf(record.admission.principal, config.prefix, { operation: 'subscribe', filter, qos }) ??
        (record.filters.size >= MAX_FILTERS_PER_CLIENT && !record.filters.has(filter) ? 'filters' : undefined);
      if (denial === undefined) {
        record.filters.add(filter);
        return record.throttle.pass(() => callback(null, subscription));
      }
      deny(denial, { clientId: client.id, operation: 'subscribe', filter: filter.slice(0, 256) });
      callback(null, null);
    },
    authorizeForward(client, packet) {
      const principal = clients.of(client)?.admission?.principal;
      if (principal === undefined) return null;
      const denial = denialOf(principal, config.prefix, { operation: 'receive', topic: packet.topic });
      if (denial === undefined) {
        metrics.countOut();
        return packet;
      }
      deny(denial, { clientId: client.id, operation: 'receive', topic: packet.topic.slice(0, 256) });
      return null;
    },
  };
}

function toAsk(packet: Parameters<Rules['preConnect']>[1]): ConnectAsk {
  const { clientId, clean, keepalive, username, password, will } = packet;
  return {
    clientId,
    clean: clean === true,
    keepAliveSeconds: keepalive ?? 0,
    username,
    password: password?.toString(),
    will: will === undefined ? undefined : { topic: will.topic, qos: will.qos ?? 0, retain: will.retain ?? false },
  };
}
