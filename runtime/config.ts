import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { MusterError } from '../protocol/errors.js';

/** The settings of one part, by section: `{ agent: AgentConfig }`. */
export type Sections = Readonly<Record<string, z.ZodObject>>;
export type ConfigOf<S extends Sections> = Readonly<{ [K in keyof S]: Readonly<z.infer<S[K]>> }>;

/** Sections that a shared file may hold for the other parts. */
const ALL_SECTIONS = ['agent', 'broker', 'controller', 'mesh'];

type Values = Record<string, Record<string, unknown>>;

/**
 * Settings from a YAML file, then the environment (`MUSTER_AGENT_MAX_CONCURRENT`, secrets also from `…_FILE`), then
 * flags; the later wins. Frozen.
 * @throws {MusterError} config_invalid, whose message names every fault, one a line
 */
export function loadConfig<S extends Sections>(
  sections: S,
  sources: {
    file?: string;
    env: Readonly<Record<string, string | undefined>>;
    /** By section and key; text is read like an environment variable. */
    flags?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  },
): ConfigOf<S> {
  const faults: string[] = [];
  const values: Values = Object.fromEntries(Object.keys(sections).map((section) => [section, {}]));
  if (sources.file !== undefined) readFile(sources.file, values, faults);
  readEnvironment(sections, sources.env, values, faults);
  for (const [section, flags] of Object.entries(sources.flags ?? {})) {
    for (const [key, value] of Object.entries(flags)) {
      if (value !== undefined) put(sections, values, section, key, value);
    }
  }

  const config: Record<string, unknown> = {};
  for (const [section, schema] of Object.entries(sections)) {
    const parsed = schema.safeParse(values[section]);
    if (parsed.success) config[section] = Object.freeze(parsed.data);
    else faults.push(...parsed.error.issues.flatMap((issue) => sentences(section, issue)));
  }
  if (faults.length > 0) {
    throw new MusterError(
      'config_invalid',
      `The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`,
    );
  }
  return Object.freeze(config) as ConfigOf<S>;
}

function readFile(file: string, values: Values, faults: string[]): void {
  let content: unknown;
  try {
    content = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    faults.push(`${file}: ${error instanceof Error ? error.message.split('\n')[0] : 'cannot be read'}`);
    return;
  }
  if (content === null || content === undefined) return;
  if (typeof content !== 'object' || Array.isArray(content)) {
    faults.push(`${file}: must hold sections such as agent:`);
    return;
  }
  for (const [section, keys] of Object.entries(content)) {
    if (!ALL_SECTIONS.includes(section)) faults.push(`${file}: unknown section ${section}`);
    else if (keys !== null && (typeof keys !== 'object' || Array.isArray(keys)))
      faults.push(`${file}: ${section} must hold settings`);
    else if (Object.hasOwn(values, section)) Object.assign(values[section] ?? {}, keys);
  }
}

function readEnvironment(
  sections: Sections,
  env: Readonly<Record<string, string | undefined>>,
  values: Values,
  faults: string[],
): void {
  for (const [name, text] of Object.entries(env)) {
    const section = Object.keys(sections).find((each) => name.startsWith(`MUSTER_${each.toUpperCase()}_`));
    if (section === undefined || text === undefined) continue;
    const key = name.slice(`MUSTER_${section}_`.length).toLowerCase();
    const shape = sections[section]?.shape ?? {};
    if (!Object.hasOwn(shape, key) && key.endsWith('_file') && Object.hasOwn(shape, key.slice(0, -5))) {
      try {
        put(sections, values, section, key.slice(0, -5), readFileSync(text, 'utf8').trim());
      } catch (error) {
        faults.push(`${name}: ${error instanceof Error ? error.message : 'cannot be read'}`);
      }
    } else if (!Object.hasOwn(shape, key)) faults.push(`${name}: there is no setting ${section}.${key}`);
    else put(sections, values, section, key, text);
  }
}

/** Text becomes a number, a boolean or a list where the setting wants one. */
function put(sections: Sections, values: Values, section: string, key: string, value: unknown): void {
  const target = values[section];
  if (target === undefined) return;
  target[key] = value;
  const field = sections[section]?.shape[key];
  if (typeof value !== 'string' || field === undefined || z.safeParse(field, value).success) return;
  try {
    const read = readValue(value);
    if (read !== null) target[key] = read;
  } catch {
    // Not YAML: the schema then names the fault in the text as it stands.
  }
}

/** JSON is YAML, and numbers and booleans are JSON: for them the parser of YAML need not be loaded. */
function readValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return parse(text);
  }
}

function sentences(section: string, issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `${section}.${key}: there is no such setting`);
  return [`${[section, ...issue.path].join('.')}: ${issue.message}`];
}
