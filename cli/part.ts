import { Command, Option } from 'commander';
import { z } from 'zod';
import { type ConfigOf, loadConfig, type Sections } from '../runtime/config.js';
import type { Io } from './io.js';

/** A process of Muster as the command line starts it: its settings, and what `--data DIR` means for them. */
export type Part<S extends Sections> = Readonly<{
  name: string;
  description: string;
  help: string;
  /** The keys of the section called like the part become `--key`, those of others `--section-key`. */
  sections: S;
  /** Shorter names for settings of the part's own section. */
  shortcuts?: Readonly<Record<string, string>>;
  /** The settings that follow from the directory of the installation. */
  inDataDir: (dataDir: string) => Readonly<Record<string, string>>;
}>;

/** Where the settings of a part come from besides its own keys. */
const SourceOptions = z.object({ config: z.string().optional(), data: z.string().optional() });

/** A command that starts a part. `run` gets the settings, checked, and the directory that `--data` or MUSTER_DATA named. */
export function partCommand<S extends Sections>(
  part: Part<S>,
  io: Io,
  run: (config: ConfigOf<S>, dataDir: string | undefined) => Promise<void>,
): Command {
  const command = new Command(part.name)
    .description(part.description)
    .option('--config <file>', 'YAML file with the settings')
    .option('--data <dir>', 'directory of the installation (MUSTER_DATA)')
    .addHelpText('after', part.help);
  /** Which setting each option is, by the name that commander gives it. */
  const keys = new Map<string, readonly [section: string, key: string]>();
  const add = (flag: string, about: string, setting: readonly [section: string, key: string]): void => {
    const option = new Option(`--${flag} <value>`, about);
    keys.set(option.attributeName(), setting);
    command.addOption(option);
  };
  for (const [flag, key] of Object.entries(part.shortcuts ?? {})) {
    add(flag, `Short for --${flagOf(part.name, part.name, key)}`, [part.name, key]);
  }
  for (const [section, schema] of Object.entries(part.sections)) {
    for (const [key, field] of Object.entries(schema.shape)) {
      add(flagOf(part.name, section, key), describe(field), [section, key]);
    }
  }
  return command.action(async (options: Readonly<Record<string, unknown>>) => {
    const { config: file, data } = SourceOptions.parse(options);
    const flags: Record<string, Record<string, unknown>> = {
      [part.name]: data === undefined ? {} : { ...part.inDataDir(data) },
    };
    for (const [name, [section, key]] of keys) {
      if (options[name] !== undefined) flags[section] = { ...flags[section], [key]: options[name] };
    }
    const env = { ...environmentOf(part, io.env.MUSTER_DATA), ...io.env };
    const config = loadConfig(part.sections, { env, flags, ...(file === undefined ? {} : { file }) });
    await run(config, data ?? io.env.MUSTER_DATA);
  });
}

function flagOf(part: string, section: string, key: string): string {
  return (section === part ? key : `${section}_${key}`).replaceAll('_', '-');
}

/** MUSTER_DATA stands for the settings that follow from it; each of them set by itself wins. */
function environmentOf<S extends Sections>({ name, inDataDir }: Part<S>, dataDir: string | undefined) {
  const settings = dataDir === undefined ? {} : inDataDir(dataDir);
  return Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [`MUSTER_${name.toUpperCase()}_${key.toUpperCase()}`, value]),
  );
}

/** What a setting is for, and its default. */
function describe(field: z.core.$ZodType): string {
  const description = z.globalRegistry.get(field)?.description ?? '';
  const preset = z.safeParse(field, undefined);
  return preset.success && preset.data !== undefined && String(preset.data) !== ''
    ? `${description} (default: ${String(preset.data)})`
    : description;
}
