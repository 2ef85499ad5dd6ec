import { parseFilter, parseTopic, TOPICS, type TopicKind, type TopicLevels } from './topics.js';

/** Who is connected to the broker, as its password (a JWT) says. */
export type Principal = Readonly<{
  role: 'node' | 'controller' | 'monitor';
  id: string;
  org: string;
  groups: readonly string[];
}>;

/** What a client wants of the broker. `receive` is the delivery of one message to it. */
export type BrokerOperation =
  | Readonly<{ operation: 'publish'; topic: string; qos: number; retain: boolean }>
  | Readonly<{ operation: 'subscribe'; filter: string; qos: number }>
  | Readonly<{ operation: 'receive'; topic: string }>;

export const DENIAL_REASONS = ['topic', 'retain', 'qos', 'shared', 'role'] as const;
export type DenialReason = (typeof DENIAL_REASONS)[number];

/**
 * Whether the broker lets it happen: undefined when it may, else why not. Pure, and made from TOPICS alone,
 * so that publish, subscribe, delivery and Will are decided by the same table.
 */
export function denialOf(principal: Principal, prefix: string, ask: BrokerOperation): DenialReason | undefined {
  const scope = { prefix, org: principal.org };
  if (ask.operation === 'publish') {
    const found = parseTopic(scope, ask.topic);
    if (found === undefined) return 'topic';
    if (principal.role === 'monitor') return 'role';
    if (TOPICS[found.kind].from !== partyOf(principal) || !isOwn(principal, found.levels)) return 'role';
    if (ask.qos > TOPICS[found.kind].qos) return 'qos';
    return ask.retain && !TOPICS[found.kind].retain ? 'retain' : undefined;
  }

  const text = ask.operation === 'subscribe' ? ask.filter : ask.topic;
  if (text.startsWith('$share/') || text.startsWith('$queue/')) return 'shared';
  if (ask.operation === 'subscribe' && ask.qos > 1) return 'qos';
  if (principal.role === 'monitor') return text === '$SYS/#' || text.startsWith('$SYS/') ? undefined : 'role';
  // A controller may watch the whole org: it signed one half of what passes and verifies the other.
  if (principal.role === 'controller' && ask.operation === 'subscribe' && text === `${prefix}/${principal.org}/#`)
    return undefined;
  const found = ask.operation === 'subscribe' ? parseFilter(scope, text) : parseTopic(scope, text);
  if (found === undefined) return 'topic';
  return mayRead(principal, found.kind, found.levels) ? undefined : 'role';
}

function mayRead(principal: Principal, kind: TopicKind, levels: TopicLevels): boolean {
  if (principal.role === 'controller') return true;
  return TOPICS[kind].to === 'agent' && isOwn(principal, levels);
}

/** A node's levels must name it and its groups; a controller speaks for the whole org. */
function isOwn(principal: Principal, { node, group }: TopicLevels): boolean {
  if (principal.role === 'controller') return true;
  return (node === undefined || node === principal.id) && (group === undefined || principal.groups.includes(group));
}

function partyOf(principal: Principal): 'controller' | 'agent' {
  return principal.role === 'node' ? 'agent' : 'controller';
}
