import type { z } from 'zod';
import type { Action } from '../../agent/actions/action.js';
import { builtins } from '../../agent/actions/builtins/list.js';
import { createEngine } from '../../agent/actions/containers/engine.js';
import { containerActions } from '../../agent/actions/containers/list.js';
import { createProcessGroupIsolation } from '../../agent/actions/process-group.js';
import { AgentConfig } from '../../agent/config.js';
import { formatDuration } from '../../protocol/durations.js';
import type { ParameterSpec } from '../../protocol/messages/parameters.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { createLogger } from '../../runtime/logger.js';
import { NO_MASK } from '../../runtime/masking/mask.js';
import { fieldTable } from './fields.js';
import { code, generatedNote, sentence, table } from './markdown.js';
import { type JsonSchema, jsonSchemaOf } from './schemas.js';

/** docs/reference/actions.md: every built-in action with its parameters and the JSON that it writes. */
export function actionsPage(): string {
  return [
    generatedNote('agent/actions/builtins/ and agent/actions/containers/'),
    '# Built-in actions\n',
    'What every node can do without a hook, and what one with Docker or Podman can do with containers. Which files, logs and services a node may be asked for is listed in its own settings, which are empty until its owner fills them; an ask for anything else ends as `error`, `not_allowed_on_node`. A node that lacks a program or systemd answers `not_supported_on_node`. Exit code 1 with a sentence on stderr means that the action was understood and could not be done.\n',
    'Sizes are in bytes, times in RFC 3339 UTC. JSON comes as one line; `muster run` on a terminal lays it out.\n',
    ...listBuiltins().map(section),
  ].join('\n');
}

function listBuiltins(): Action[] {
  const config = AgentConfig.parse({});
  const containers = containerActions({
    engine: createEngine(() => undefined),
    ownIds: [],
    maxOutputBytes: config.max_output_bytes,
    mask: NO_MASK,
    clock: SYSTEM_CLOCK,
  });
  const everywhere = builtins({
    node: { nodeId: 'node', meshIp: () => '', peerCount: async () => 0 },
    settings: config,
    endpoints: { broker: 'mqtt://127.0.0.1:1883', controller: 'http://127.0.0.1:8080' },
    dataDir: config.data_dir,
    maxOutputBytes: config.max_output_bytes,
    mask: NO_MASK,
    path: '',
    isolation: createProcessGroupIsolation(),
    clock: SYSTEM_CLOCK,
    system: { platform: 'linux', name: 'Linux', uid: 0, isRoot: true },
    env: {},
    own: { machine: { processId: '', bootId: '', clock: SYSTEM_CLOCK }, files: [], running: () => 0, leave: () => {} },
    log: createLogger('agent', { level: 'silent' }),
  });
  return [...everywhere, ...containers];
}

function section({ name, description, risk, parameters, timeoutMs, prints, reports }: Action): string {
  const bound = timeoutMs === undefined ? '' : ` Time-out: ${formatDuration(timeoutMs)}.`;
  return [
    `## ${name}\n`,
    `${sentence(description)} Risk: ${risk}.${bound}\n`,
    ...(parameters.length === 0 ? [] : [`${parameterTable(parameters)}\n`]),
    ...shape('stdout', prints),
    ...shape('stderr', reports),
  ].join('\n');
}

function parameterTable(parameters: readonly ParameterSpec[]): string {
  const rows = parameters.map(({ name, type, required, default: preset, description }) => [
    code(name),
    type,
    required ? 'yes' : 'no',
    preset === undefined ? '' : code(String(preset)),
    sentence(description),
  ]);
  return table(['Parameter', 'Type', 'Required', 'Default', 'Meaning'], rows);
}

function shape(stream: 'stdout' | 'stderr', schema: z.ZodObject | undefined): string[] {
  return schema === undefined ? [] : [`JSON on ${stream}:\n`, ...tables(jsonSchemaOf(schema), '', new Map())];
}

/** The table of an object, then those of the objects in it; one that was shown is only referred to. */
function tables(schema: JsonSchema, path: string, shown: Map<string, string>): string[] {
  const text = fieldTable(schema);
  const same = shown.get(text);
  if (same !== undefined) return [`The same as in ${code(same)}.\n`];
  shown.set(text, path);
  const inner = Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    const object = objectIn(member);
    const place = path === '' ? name : `${path}.${name}`;
    return object === undefined ? [] : [`In ${code(place)}:\n`, ...tables(object, place, shown)];
  });
  return [`${text}\n`, ...inner];
}

/** The object that a member is, may be, or is a list of. */
function objectIn(member: JsonSchema | boolean | undefined): JsonSchema | undefined {
  if (typeof member !== 'object') return undefined;
  if (member.properties !== undefined) return member;
  const parts = [...(member.anyOf ?? []), ...(Array.isArray(member.items) ? member.items : [member.items])];
  return parts.map(objectIn).find((each) => each !== undefined);
}
