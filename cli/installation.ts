import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
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
 * The controller to talk to: flags, then the environment, then cli.json in the data directory, then a login. A token
 * that is kept is never sent to another URL than the one it stands beside.
 * @throws {MusterError} unavailable, config_invalid, unauthenticated
 */
export function findConnection(flags: ConnectionFlags, env: Env): Connection {
  const url = flags.url ?? env.MUSTER_URL;
  const token = flags.token ?? env.MUSTER_TOKEN;
  if (url === undefined) {
    const stored = findStored(flags.data, env);
    return token === undefined ? stored : { ...stored, token };
  }
  if (token === undefined) {
    throw new MusterError('unauthenticated', `No token for ${url}: give --token or set MUSTER_TOKEN`);
  }
  const connection = Connection.safeParse({ url, token });
  if (!connection.success) throw new MusterError('usage', `${JSON.stringify(url)} is not an http or https URL`);
  return connection.data;
}

/** The address of a controller without its token: for a login. */
export function findUrl(url: string | undefined, env: Env): string | undefined {
  const found = url ?? env.MUSTER_URL ?? readLogin(env)?.url;
  return found !== undefined && Connection.shape.url.safeParse(found).success ? found : undefined;
}

/** What `muster login` has kept for this user of the machine; undefined when there is none. */
export function readLogin(env: Env): Connection | undefined {
  return existsSync(fileIn(loginDir(env))) ? readConnection(loginDir(env)) : undefined;
}

/** Keeps a login, for this user of the machine alone. */
export function writeLogin(connection: Connection, env: Env): void {
  mkdirSync(loginDir(env), { recursive: true, mode: 0o700 });
  writeConnection(loginDir(env), connection);
}

export function forgetLogin(env: Env): void {
  rmSync(fileIn(loginDir(env)), { force: true });
}

/** What somebody named comes first, then the installation of this directory, then a login. */
function findStored(data: string | undefined, env: Env): Connection {
  const dataDir = dataDirOf(data, env);
  const isNamed = data !== undefined || env.MUSTER_DATA !== undefined;
  const login = isNamed || existsSync(fileIn(dataDir)) ? undefined : readLogin(env);
  return login ?? readConnection(dataDir);
}

/** Of the XDG base directories, those of settings. */
function loginDir({ XDG_CONFIG_HOME: config, HOME: home = '/' }: Env): string {
  return join(config !== undefined && config !== '' ? config : join(home, '.config'), 'muster');
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
