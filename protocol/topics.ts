import { MusterError } from './errors.js';
import { isId } from './ids.js';

/** Which part speaks or listens on a topic. */
export type Party = 'controller' | 'agent';

/**
 * Every topic, below `{prefix}/{org}/`; `{x}` is one level that holds an id.
 * The only place in which a topic is spelled out: the broker's rules, the types and topics.md come from here.
 */
export const TOPICS = {
  node_request: { pattern: 'node/{node}/request', from: 'controller', to: 'agent', qos: 1, retain: false },
  group_request: { pattern: 'group/{group}/request', from: 'controller', to: 'agent', qos: 1, retain: false },
  fleet_request: { pattern: 'fleet/request', from: 'controller', to: 'agent', qos: 1, retain: false },
  control: { pattern: 'node/{node}/control', from: 'controller', to: 'agent', qos: 1, retain: false },
  hello: { pattern: 'node/{node}/hello', from: 'agent', to: 'controller', qos: 1, retain: false },
  ack: { pattern: 'node/{node}/ack', from: 'agent', to: 'controller', qos: 1, retain: false },
  output: { pattern: 'node/{node}/output', from: 'agent', to: 'controller', qos: 1, retain: false },
  result: { pattern: 'node/{node}/result', from: 'agent', to: 'controller', qos: 1, retain: false },
  reply: { pattern: 'node/{node}/reply', from: 'agent', to: 'controller', qos: 1, retain: false },
  capabilities: { pattern: 'node/{node}/capabilities', from: 'agent', to: 'controller', qos: 1, retain: false },
  status: { pattern: 'node/{node}/status', from: 'agent', to: 'controller', qos: 1, retain: true },
  metrics: { pattern: 'node/{node}/metrics', from: 'agent', to: 'controller', qos: 0, retain: false },
  terminal_in: {
    pattern: 'node/{node}/terminal/{terminal}/in',
    from: 'controller',
    to: 'agent',
    qos: 1,
    retain: false,
  },
  terminal_out: {
    pattern: 'node/{node}/terminal/{terminal}/out',
    from: 'agent',
    to: 'controller',
    qos: 1,
    retain: false,
  },
} as const satisfies Record<string, { pattern: string; from: Party; to: Party; qos: 0 | 1; retain: boolean }>;

export type TopicKind = keyof typeof TOPICS;

type LevelsOf<P extends string> = P extends `${string}{${infer Level}}${infer Rest}` ? Level | LevelsOf<Rest> : never;
export type TopicParams<K extends TopicKind> = Readonly<Record<LevelsOf<(typeof TOPICS)[K]['pattern']>, string>>;

/** What a `{x}` level of a topic or filter held, by its name. */
export type TopicLevels = Readonly<Partial<Record<'node' | 'group' | 'terminal', string>>>;

/** The two configurable levels, such as `muster/v1`, and the org below them. */
export type TopicScope = Readonly<{ prefix: string; org: string }>;

export const DEFAULT_PREFIX = 'muster/v1';

const MAX_TOPIC_BYTES = 256;

/** Each pattern cut into levels once; the key is the topic kind. */
const PATTERN_LEVELS = new Map(
  Object.entries(TOPICS).map(([kind, { pattern }]) => [kind as TopicKind, pattern.split('/')]),
);

/**
 * The Topic Name to publish on: no wildcards, every level checked [MQTT-4.7.1-1].
 * @throws {MusterError} topic_invalid
 */
export function topicName<K extends TopicKind>(scope: TopicScope, kind: K, params: TopicParams<K>): string {
  return fill(scope, kind, (level) => {
    const value = (params as Readonly<Record<string, string>>)[level] ?? '';
    if (!isId(value)) throw new MusterError('topic_invalid', `${kind}: ${level} is ${JSON.stringify(value)}`);
    return value;
  });
}

/**
 * The Topic Filter that matches this kind; levels that are not given become `+`.
 * @throws {MusterError} topic_invalid
 */
export function topicFilter(scope: TopicScope, kind: TopicKind, levels: TopicLevels = {}): string {
  return fill(scope, kind, (level) => {
    const value = (levels as Readonly<Record<string, string | undefined>>)[level] ?? '+';
    if (value !== '+' && !isId(value))
      throw new MusterError('topic_invalid', `${kind}: ${level} is ${JSON.stringify(value)}`);
    return value;
  });
}

/** The kind and levels of a Topic Name below this scope; undefined for any other topic. */
export function parseTopic(scope: TopicScope, topic: string): { kind: TopicKind; levels: TopicLevels } | undefined {
  return match(scope, topic, isId);
}

/** Like {@link parseTopic} for a Topic Filter: a level may be `+`. `#` is never a filter of ours. */
export function parseFilter(scope: TopicScope, filter: string): { kind: TopicKind; levels: TopicLevels } | undefined {
  return match(scope, filter, (level) => level === '+' || isId(level));
}

function match(
  { prefix, org }: TopicScope,
  text: string,
  isLevel: (level: string) => boolean,
): { kind: TopicKind; levels: TopicLevels } | undefined {
  const base = `${prefix}/${org}/`;
  if (!text.startsWith(base) || text.length > MAX_TOPIC_BYTES) return undefined;
  const given = text.slice(base.length).split('/');
  for (const [kind, pattern] of PATTERN_LEVELS) {
    const levels = matchLevels(pattern, given, isLevel);
    if (levels !== undefined) return { kind, levels };
  }
  return undefined;
}

function matchLevels(
  pattern: readonly string[],
  given: readonly string[],
  isLevel: (level: string) => boolean,
): TopicLevels | undefined {
  if (pattern.length !== given.length) return undefined;
  const levels: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const value = given[index] ?? '';
    if (!expected.startsWith('{')) {
      if (value !== expected) return undefined;
    } else {
      if (!isLevel(value)) return undefined;
      levels[expected.slice(1, -1)] = value;
    }
  }
  return levels;
}

function fill({ prefix, org }: TopicScope, kind: TopicKind, levelOf: (level: string) => string): string {
  if (!isId(org)) throw new MusterError('topic_invalid', `org is ${JSON.stringify(org)}`);
  const topic = `${prefix}/${org}/${TOPICS[kind].pattern.replace(/\{(\w+)\}/g, (_, level: string) => levelOf(level))}`;
  if (topic.length > MAX_TOPIC_BYTES)
    throw new MusterError('topic_invalid', `${kind}: longer than ${MAX_TOPIC_BYTES} bytes`);
  return topic;
}
