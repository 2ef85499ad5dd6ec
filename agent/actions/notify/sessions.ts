import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Program } from '../processes.js';

/** Where somebody is logged in who can be shown something: the environment that reaches it, and as whom. */
export type Session = Readonly<{
  /** Of the user whose session it is. */
  uid: number;
  user: Program['user'];
  env: Readonly<Record<string, string>>;
}>;

/** Of our own environment, what names the session that we run in. */
const OWN_NAMES = ['DBUS_SESSION_BUS_ADDRESS', 'XDG_RUNTIME_DIR', 'DISPLAY', 'WAYLAND_DISPLAY', 'XAUTHORITY'];

/** How sessions are found. */
export type SessionSource = Readonly<{
  isRoot: boolean;
  /** The agent's own environment and user. */
  env: Readonly<Record<string, string | undefined>>;
  uid: number;
  /** Where systemd keeps a directory for each user who is logged in. */
  directory: string;
}>;

/**
 * Root reaches the session of everybody who is logged in, by a bus that belongs to that user; anybody else his own.
 */
export async function findSessions({ isRoot, env, uid, directory }: SessionSource): Promise<readonly Session[]> {
  if (isRoot) return findLoggedIn(directory);
  const named = OWN_NAMES.flatMap((name) => (env[name] ? [[name, env[name]] as const] : []));
  if (named.length > 0) return [{ uid, user: undefined, env: Object.fromEntries(named) }];
  const own = await sessionOf(directory, String(uid));
  return own === undefined ? [] : [{ ...own, user: undefined }];
}

async function findLoggedIn(directory: string): Promise<readonly Session[]> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => /^\d{1,10}$/.test(name));
  const sessions = await Promise.all(names.map((name) => sessionOf(directory, name)));
  return sessions.filter((session) => session !== undefined);
}

/** Only a directory and a socket that belong to the user are taken for the user's. */
async function sessionOf(directory: string, name: string): Promise<Session | undefined> {
  const uid = Number(name);
  const runtime = join(directory, name);
  const place = await lstat(runtime).catch(() => undefined);
  const bus = await lstat(join(runtime, 'bus')).catch(() => undefined);
  if (!place?.isDirectory() || place.uid !== uid || !bus?.isSocket() || bus.uid !== uid) return undefined;
  const hasWayland = await lstat(join(runtime, 'wayland-0')).then(
    (socket) => socket.isSocket(),
    () => false,
  );
  return {
    uid,
    user: { uid, gid: place.gid },
    env: {
      DBUS_SESSION_BUS_ADDRESS: `unix:path=${join(runtime, 'bus')}`,
      XDG_RUNTIME_DIR: runtime,
      ...(hasWayland ? { WAYLAND_DISPLAY: 'wayland-0' } : { DISPLAY: ':0' }),
    },
  };
}
