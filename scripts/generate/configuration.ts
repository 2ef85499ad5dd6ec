import type { z } from 'zod';
import { AgentConfig } from '../../agent/config.js';
import { BrokerConfig } from '../../broker/config.js';
import { ControllerConfig } from '../../controller/config.js';
import { code, generatedNote, sentence, table } from './markdown.js';
import { type JsonSchema, jsonSchemaOf } from './schemas.js';

const SECTIONS: readonly (readonly [name: string, schema: z.ZodObject])[] = [
  ['agent', AgentConfig],
  ['broker', BrokerConfig],
  ['controller', ControllerConfig],
];

/** docs/reference/configuration.md: every setting with its environment variable, default and meaning. */
export function configurationPage(): string {
  return [
    generatedNote("the parts' config.ts"),
    '# Configuration\n',
    'Settings come from a YAML file (`--config FILE`) with a section for each part, then from the environment, then from flags; the later wins. A setting can also be read from a file: append `_FILE` to its variable, as in `MUSTER_AGENT_ENROLL_TOKEN_FILE=/run/secrets/token`. All faults are reported at once, and the process ends with exit code 78.\n',
    '```yaml\nagent:\n  max_concurrent: 10\n  hooks_dir: /etc/muster/hooks\n```\n',
    ...SECTIONS.map(([name, schema]) => `## ${name}\n\n${sectionTable(name, jsonSchemaOf(schema))}\n`),
  ].join('\n');
}

function sectionTable(section: string, { properties = {} }: JsonSchema): string {
  const rows = Object.entries(properties).flatMap(([key, member]) => {
    const about: JsonSchema = typeof member === 'object' ? member : {};
    const setting = `${section}.${key}`;
    return [rowOf(setting, code(`MUSTER_${section}_${key}`.toUpperCase()), about), ...rowsWithin(setting, about)];
  });
  return table(['Setting', 'Environment', 'Default', 'Meaning'], rows);
}

/** What a setting that is a group holds; the environment has the group as a whole, as JSON. */
function rowsWithin(setting: string, { properties = {} }: JsonSchema): string[][] {
  return Object.entries(properties).map(([key, member]) =>
    rowOf(`${setting}.${key}`, '', typeof member === 'object' ? member : {}),
  );
}

function rowOf(setting: string, variable: string, about: JsonSchema): string[] {
  return [code(setting), variable, defaultOf(about), `${sentence(about.description ?? '')}${allowed(about)}`];
}

function defaultOf({ default: preset }: JsonSchema): string {
  if (preset === undefined) return '';
  const text = preset !== null && typeof preset === 'object' && !Array.isArray(preset) ? '' : String(preset);
  return text === '' ? 'none' : code(text);
}

function allowed({ enum: values, minimum, maximum }: JsonSchema): string {
  if (values !== undefined) return ` One of ${values.map((value) => code(String(value))).join(', ')}.`;
  const low = minimum === Number.MIN_SAFE_INTEGER ? undefined : minimum;
  if (low !== undefined && maximum !== undefined) return ` ${low} to ${maximum}.`;
  return '';
}
