import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { MusterError } from '../../protocol/errors.js';
import { errnoOf } from '../../runtime/errno.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** Settings that `muster up` decides itself, since its parts belong together. */
const DECIDED = [
  ...['MUSTER_CONTROLLER_DATA_DIR', 'MUSTER_CONTROLLER_BROKER_URL', 'MUSTER_BROKER_ROOT_FILE'],
  ...['MUSTER_BROKER_KEYS_FILE', 'MUSTER_AGENT_DATA_DIR', 'MUSTER_AGENT_BROKER_URL', 'MUSTER_AGENT_ENROLL_URL'],
  'MUSTER_AGENT_ENROLL_TOKEN',
] as const;

/** A setting of the environment, or of the file that `…_FILE` names. @throws {MusterError} config_invalid: no such file */
export function settingIn(env: Environment, name: string): string | undefined {
  const file = env[`${name}_FILE`];
  const text = env[name];
  if (text !== undefined || file === undefined) return text;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new MusterError('config_invalid', `${name}_FILE: ${file} cannot be read (${errnoOf(error) ?? 'no text'})`);
  }
}

const Port = z
  .string()
  .regex(/^\d{1,5}$/)
  .transform(Number)
  .pipe(z.number().max(65_535));

/** The port that a flag gives, else the environment, else the usual one. @throws {MusterError} usage, config_invalid */
export function portIn(
  env: Environment,
  { flag, given, name, usual }: Readonly<{ flag: string; given: string | undefined; name: string; usual: string }>,
): number {
  const port = Port.safeParse(given ?? settingIn(env, name) ?? usual);
  if (port.success) return port.data;
  if (given !== undefined) throw new MusterError('usage', `${flag} must be a port, 0 to 65535`);
  throw new MusterError('config_invalid', `${name} must be a port, 0 to 65535`);
}

/** The variables of this environment that count for nothing under `muster up`. */
export function passedOver(env: Environment): string[] {
  return DECIDED.flatMap((name) => [name, `${name}_FILE`]).filter((name) => env[name] !== undefined);
}
