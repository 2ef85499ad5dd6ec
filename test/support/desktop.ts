import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { TestScope } from './broker.js';
import { findCommand } from './commands.js';
import { until } from './until.js';

/** Debian's own, for which its modules are installed; another Python may come first in PATH. */
const PYTHON = '/usr/bin/python3';
const MODULE = '/usr/lib/python3/dist-packages/dbusmock';

/** Prints what the notification service was asked to show, as JSON. */
const ASKED = `import dbus, json
service = dbus.SessionBus().get_object('org.freedesktop.Notifications', '/org/freedesktop/Notifications')
calls = dbus.Interface(service, 'org.freedesktop.DBus.Mock').GetMethodCalls('Notify')
print(json.dumps([{'app': args[0], 'title': args[3], 'text': args[4]} for _, args in calls]))`;
const Asked = z.array(z.strictObject({ app: z.string(), title: z.string(), text: z.string() }));

/** What a desktop was asked to show. */
export type Notification = Readonly<z.infer<typeof Asked>[number]>;

/** The session of a user who is logged in: a D-Bus of its own, with or without somebody on it who shows notifications. */
export type Desktop = Readonly<{ asked: () => Promise<readonly Notification[]> }>;

/** What a D-Bus session misses on this machine; undefined when nothing. */
export function lacksDesktop(): string | undefined {
  const missing = ['dbus-daemon', 'notify-send'].filter((name) => findCommand(name) === undefined);
  if (!existsSync(MODULE)) missing.push('python3-dbusmock');
  return missing.length === 0 ? undefined : `${missing.join(' and ')} not installed`;
}

/** Logs a user in below `directory`, as systemd does below /run/user; ends with the test. */
export async function startDesktop(
  t: TestScope,
  { directory, uid, shows = true }: { directory: string; uid: number; shows?: boolean },
): Promise<Desktop> {
  const runtime = join(directory, String(uid));
  mkdirSync(runtime, { mode: 0o700 });
  if (process.getuid?.() !== uid) chownSync(runtime, uid, uid);
  const bus = join(runtime, 'bus');
  const config = join(directory, `${uid}.conf`);
  writeFileSync(config, configOf(bus));
  chmodSync(config, 0o644);
  const run = (file: string, args: readonly string[]) => {
    const child = spawn(file, args, {
      ...(process.getuid?.() === uid ? {} : { uid, gid: uid }),
      ...{ cwd: '/', stdio: ['ignore', 'pipe', 'ignore'] },
      env: { PATH: '/usr/bin:/bin', HOME: runtime, DBUS_SESSION_BUS_ADDRESS: `unix:path=${bus}` },
    });
    t.after(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    });
    return child;
  };
  const printed = async (script: string): Promise<string> => {
    const child = run(PYTHON, ['-c', script]);
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    await once(child, 'close');
    return text;
  };
  run(findCommand('dbus-daemon') ?? '', ['--nofork', '--config-file', config]);
  await until(() => existsSync(bus) && lstatSync(bus).isSocket(), { what: 'the bus' });
  if (shows) run(PYTHON, ['-m', 'dbusmock', '--template', 'notification_daemon']);
  const asked = async (): Promise<readonly Notification[]> => Asked.parse(JSON.parse(await printed(ASKED)));
  if (shows)
    await until(() => asked().catch(() => undefined), { what: 'the notification service', deadlineMs: 30_000 });
  return { asked };
}

/** A bus that starts no service by itself: what is on it is what the test has put there. */
function configOf(bus: string): string {
  return `<busconfig><type>session</type><listen>unix:path=${bus}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>`;
}
