import { DEFAULT_MAX_PACKET_BYTES } from '../../protocol/envelope.js';
import { TOPIC_BODIES } from '../../protocol/messages.js';
import { DEFAULT_PREFIX, TOPICS, type TopicKind } from '../../protocol/topics.js';
import { VERSION } from '../../runtime/version.js';
import { fileNameOf, MESSAGE_NAMES, messageSchema } from './schemas.js';

const KINDS = Object.keys(TOPICS) as TopicKind[];

const LEVELS: Readonly<Record<string, string>> = {
  org: 'The organization',
  node: 'Node id',
  group: 'Group id',
  terminal: 'Terminal id',
};

/** Which kind answers which, as far as AsyncAPI can say it (one channel each). */
const REPLIES: Readonly<Partial<Record<TopicKind, TopicKind>>> = {
  node_request: 'ack',
  group_request: 'ack',
  fleet_request: 'ack',
  control: 'reply',
  hello: 'control',
};

/** The AsyncAPI 3.1 document of an agent: what it receives and what it sends. */
export function asyncApiDocument(): object {
  return {
    asyncapi: '3.1.0',
    info: {
      title: 'Muster agent',
      version: VERSION,
      description:
        'What an agent receives and sends on the broker. Signed messages are JWS in compact serialization; their decoded payloads are the schemas. topics.md says the rest in words.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    id: 'urn:muster:agent',
    defaultContentType: 'application/json',
    servers: {
      broker: {
        host: 'localhost:1883',
        protocol: 'mqtt',
        protocolVersion: '3.1.1',
        description: `Any MQTT 3.1.1 broker; packets of at most ${DEFAULT_MAX_PACKET_BYTES} bytes.`,
        security: [{ $ref: '#/components/securitySchemes/password' }],
      },
    },
    channels: Object.fromEntries(KINDS.map((kind) => [kind, channel(kind)])),
    operations: Object.fromEntries(KINDS.map((kind) => [`on_${kind}`, operation(kind)])),
    components: {
      messages: Object.fromEntries(KINDS.map((kind) => [kind, message(kind)])),
      schemas: Object.fromEntries(MESSAGE_NAMES.map((name) => [name, embeddable(name)])),
      securitySchemes: {
        password: {
          type: 'userPassword',
          description: 'The client id as user name and a JWT signed by the controller as password.',
        },
      },
    },
  };
}

function channel(kind: TopicKind): object {
  const address = `${DEFAULT_PREFIX}/{org}/${TOPICS[kind].pattern}`;
  const levels = [...address.matchAll(/\{(\w+)\}/g)].map(([, level = '']) => level);
  return {
    address,
    messages: { [kind]: { $ref: `#/components/messages/${kind}` } },
    parameters: Object.fromEntries(levels.map((level) => [level, { description: LEVELS[level] ?? level }])),
  };
}

function operation(kind: TopicKind): object {
  const { from, qos, retain } = TOPICS[kind];
  const reply = REPLIES[kind];
  return {
    action: from === 'agent' ? 'send' : 'receive',
    channel: { $ref: `#/channels/${kind}` },
    messages: [{ $ref: `#/channels/${kind}/messages/${kind}` }],
    ...(reply === undefined ? {} : { reply: { channel: { $ref: `#/channels/${reply}` } } }),
    bindings: { mqtt: { qos, retain, bindingVersion: '0.2.0' } },
  };
}

function message(kind: TopicKind): object {
  const { typ, schema } = TOPIC_BODIES[kind];
  if (schema === undefined) {
    return {
      name: kind,
      title: 'Sealed terminal frame',
      contentType: 'application/octet-stream',
      payload: { type: 'string', format: 'binary', description: 'version ‖ seq ‖ ciphertext; see topics.md' },
    };
  }
  if (typ === 'json') {
    return {
      name: kind,
      title: kind,
      contentType: 'application/json',
      payload: { $ref: `#/components/schemas/${kind}` },
    };
  }
  return {
    name: kind,
    title: typ,
    contentType: 'application/jose',
    payload: {
      type: 'string',
      pattern: '^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]{86}$',
      description: `JWS with typ ${typ}; its payload is the schema ${fileNameOf(typ)}.`,
      'x-payload-schema': `#/components/schemas/${fileNameOf(typ)}`,
    },
  };
}

/** Inside another document a schema may not say which dialect it is. */
function embeddable(name: string): object {
  const { $schema: _, ...schema } = messageSchema(name);
  return schema;
}
