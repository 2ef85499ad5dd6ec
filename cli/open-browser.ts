import { spawn } from 'node:child_process';
import type { Io } from './io.js';

/** How each system opens an address in whatever browser its user likes; the others have what freedesktop.org names. */
const OPENERS: Readonly<Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>>> = {
  darwin: ['open'],
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
};
const USUAL = ['xdg-open'] as const;

/** Systems on which somebody at a terminal always has a display. */
const ALWAYS_SHOWS: ReadonlySet<NodeJS.Platform> = new Set(['darwin', 'win32']);

/** True when somebody sits at a terminal with a display on which a browser could show something. */
export function hasDisplay({ stdout, env }: Pick<Io, 'stdout' | 'env'>, platform: NodeJS.Platform): boolean {
  if (stdout.isTTY !== true || (env.SSH_CONNECTION ?? '') !== '') return false;
  return ALWAYS_SHOWS.has(platform) || (env.DISPLAY ?? '') !== '' || (env.WAYLAND_DISPLAY ?? '') !== '';
}

/** Opens an address in a browser that outlives us; false when there is nothing that could. */
export function openBrowser(url: string, { env }: Pick<Io, 'env'>, platform: NodeJS.Platform): Promise<boolean> {
  const [file, ...args] = OPENERS[platform] ?? USUAL;
  const child = spawn(file, [...args, url], { stdio: 'ignore', detached: true, env });
  child.unref();
  return new Promise((done) => {
    child.once('error', () => done(false));
    child.once('spawn', () => done(true));
  });
}
