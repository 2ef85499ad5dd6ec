import { encodeBase64Url } from '../../protocol/base64url.js';
import { SIGNERS, sha256Hex, signEnvelope } from '../../protocol/envelope.js';
import { codesOf, ERROR_CODES } from '../../protocol/errors.js';
import { PASSING_REASONS, REJECTION_REASONS } from '../../protocol/messages/ack.js';
import type { ControlKind } from '../../protocol/messages/control.js';
import { TOPIC_BODIES } from '../../protocol/messages.js';
import { TOPICS, type TopicKind } from '../../protocol/topics.js';
import { CONTROL_EXAMPLES, ENVELOPE_EXAMPLES, METRICS_EXAMPLE, STATUS_EXAMPLE } from '../../test/support/examples.js';
import { exampleKey } from './example-key.js';
import { fieldTable, variantOf } from './fields.js';
import { code, sentence, table } from './markdown.js';
import { fileNameOf, messageSchema } from './schemas.js';

const KINDS = Object.keys(TOPICS) as TopicKind[];

const BLOCK = /(<!-- generated:([a-z]+)(?: (\S+))? -->)[\s\S]*?(<!-- \/generated -->)/g;

/** The blocks that topics.md may ask for, by name; some take a message or a control kind. */
const BLOCKS: ReadonlyMap<string, (of: string) => string> = new Map([
  ['topics', topicTable],
  ['types', typeTable],
  ['fields', (of: string) => fieldTable(messageSchema(of))],
  ['control', (kind: string) => fieldTable(variantOf(messageSchema('muster-control'), kind))],
  ['example', (of: string) => jsonBlock(exampleOf(of))],
  ['reasons', reasonTable],
  ['outcomes', outcomeTable],
  ['envelope', envelopeExample],
]);

/**
 * topics.md with each `<!-- generated:NAME -->…<!-- /generated -->` filled anew; the prose between is hand-written.
 * @throws {Error} when it asks for a block that does not exist
 */
export function fillTopicsPage(page: string): string {
  return page.replace(BLOCK, (_, begin: string, name: string, of: string | undefined, end: string) => {
    const block = BLOCKS.get(name);
    if (block === undefined) throw new Error(`topics.md asks for an unknown block: ${name}`);
    return `${begin}\n${block(of ?? '')}\n${end}`;
  });
}

function topicTable(): string {
  const rows = KINDS.map((kind) => {
    const { pattern, from, to, qos, retain } = TOPICS[kind];
    const { typ } = TOPIC_BODIES[kind];
    const body = typ === 'json' ? 'JSON' : typ === 'sealed frame' ? typ : `JWS ${code(typ)}`;
    return [code(pattern), `${from} → ${to}`, String(qos), retain ? '**yes**' : 'no', body];
  });
  return table(['Below the prefix and the org', 'From → to', 'QoS', 'Retain', 'Body'], rows);
}

function typeTable(): string {
  const roles = {
    controller: 'a key of the key list',
    root: 'the root key',
    node: "the node's key",
    bearer: 'the key in the header',
  };
  const rows = Object.entries(SIGNERS).map(([typ, role]) => [
    code(typ),
    sentence(roles[role]),
    `[schema](docs/reference/schemas/${fileNameOf(typ)}.json)`,
  ]);
  return table(['`typ`', 'Signed by', 'Payload'], rows);
}

function reasonTable(): string {
  const rows = REJECTION_REASONS.map((reason) => [
    code(reason),
    sentence(ERROR_CODES[reason].meaning),
    PASSING_REASONS.has(reason) ? 'is offered again, with back-off' : 'ends the execution',
  ]);
  return table(['`reason`', 'Meaning', 'The controller then'], rows);
}

function outcomeTable(): string {
  return table(
    ['`error_code`', 'Meaning'],
    codesOf('result').map((name) => [code(name), sentence(ERROR_CODES[name].meaning)]),
  );
}

function exampleOf(name: string): unknown {
  if (name === 'status') return STATUS_EXAMPLE;
  if (name === 'metrics') return METRICS_EXAMPLE;
  if (Object.hasOwn(CONTROL_EXAMPLES, name)) return CONTROL_EXAMPLES[name as ControlKind];
  return ENVELOPE_EXAMPLES[name as keyof typeof ENVELOPE_EXAMPLES];
}

function jsonBlock(value: unknown): string {
  if (value === undefined) throw new Error('topics.md asks for an example that does not exist');
  return `\`\`\`json\n${JSON.stringify(value, null, 2)}\n\`\`\``;
}

/** One envelope with all its steps, so that another implementation can be held to it. */
function envelopeExample(): string {
  const payload = JSON.stringify(ENVELOPE_EXAMPLES['muster-ack']);
  const { privateJwk, signing } = exampleKey();
  const jws = signEnvelope('muster-ack', payload, signing);
  const header = JSON.stringify({ alg: 'EdDSA', typ: 'muster-ack', kid: signing.kid });
  return [
    '```text',
    `key        ${JSON.stringify(privateJwk)}`,
    `kid        ${signing.kid}`,
    `header     ${header}`,
    `           ${encodeBase64Url(header)}`,
    `payload    ${payload}`,
    `SHA-256    ${sha256Hex(payload)}`,
    `envelope   ${jws}`,
    '```',
  ].join('\n');
}
