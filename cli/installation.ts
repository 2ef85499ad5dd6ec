import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { MusterError } from '../protocol/errors.js';
import { writeFileAtomic } from '../runtime/atomic-file.js';
import { errnoOf } from '../runtime/errno.js';

/** Where the state lies when neither `--data` nor MUSTER_DATA says. */
export const DEFAULT_DATA_DIR = './.muster';

/** How to reach a controller. */
export const Connection = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).max(512),
  token: z.string().min(1).max(512),
});
export type Connection = Readonly<z.infer<typeof Connection>>;

/** What the command line says about the installation. */
export type ConnectionFlags = Readonly<{
  data?: string | undefined;
  url?: string | undefined;
  token?: string | undefined;
}>;

type Env = Readonly<Record<string, string | undefined>>;

/** The directory of the installation's state. */
export function dataDirOf(data: string | undefined, env: Env): string {
  return resolve(data ?? env.MUSTER_DATA ?? DEFAULT_DATA_DIR);
}

/**
 * The controller to talk to: flags, then the environment, then cli.json in the data directory. The token of cli.json
 * is never sent to another URL than the one it stands beside.
 * @throws {MusterError} unavailable, config_invalid, unauthenticated
 */
export function findConnection(flags: ConnectionFlags, env: Env): Connection {
  const url = flags.url ?? env.MUSTER_URL;
  const token = flags.token ?? env.MUSTER_TOKEN;
  if (url === undefined) {
    const stored = readConnection(dataDirOf(flags.data, env));
    return token === undefined ? stored : { ...stored, token };
  }
  if (token === undefined) {
    throw new MusterError('unauthenticated', `No token for ${url}: give --token or set MUSTER_TOKEN`);
  }
  const connection = Connection.safeParse({ url, token });
  if (!connection.success) throw new MusterError('usage', `${JSON.stringify(url)} is not an http or https URL`);
  return connection.data;
}

/** Keeps the connection (0600) where {@link findConnection} looks. */
export function writeConnection(dataDir: string, connection: Connection): void {
  writeFileAtomic(fileIn(dataDir), `${JSON.stringify(connection)}\n`, 0o600);
}

/**
 * The connection kept in this directory.
 * @throws {MusterError} unavailable (there is none), config_invalid (it cannot be read)
 */
export function readConnection(dataDir: string): Connection {
  const file = fileIn(dataDir);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') {
      throw new MusterError('unavailable', `There is no Muster installation in ${dataDir}`, { cause });
    }
    throw new MusterError('config_invalid', `The file ${file} cannot be read: ${errnoOf(cause) ?? 'unknown'}`, {
      cause,
    });
  }
  const connection = Connection.safeParse(parseJson(text));
  if (connection.success) return connection.data;
  throw new MusterError('config_invalid', `The file ${file} does not hold the url and token of a controller`);
}

function fileIn(dataDir: string): string {
  return join(dataDir, 'cli.json');
}

/** Undefined, which no schema takes, for text that is not JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
