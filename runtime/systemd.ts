import { type ChildProcess, spawn } from 'node:child_process';
import type { Logger } from './logger.js';

/** Tells systemd how the process is (sd_notify(3)); systemd ends a process that stays silent for too long. */
export type SystemdNotifier = Readonly<{
  /**
   * It works. From now on `pulse` is asked at an interval, and each answer, a line for people, keeps the process alive.
   */
  ready: (pulse: () => Promise<string>) => void;
  /** It ends, which may take as long as the unit allows. */
  stopping: () => void;
  /** Nothing more is said. */
  end: () => void;
}>;

export type SystemdNotifierOptions = Readonly<{
  env: Readonly<Record<string, string | undefined>>;
  pid: number;
  log: Logger;
}>;

/**
 * Hands each line of its input to systemd. Node has no datagram sockets of the Unix kind, and to start a program from a
 * process of 60 MiB costs more than from a shell of one. It ends with its input, so not when the whole unit is told to.
 */
const SCRIPT = 'trap "" TERM INT; while IFS= read -r line; do systemd-notify "$line"; done';

/** Without a watchdog the status is still brought up to date this often. */
const STATUS_MS = 30_000;
/** Pings in the time that systemd waits for one: a slow disk may cost some of them. */
const PINGS_PER_LIMIT = 4;
const US_PER_MS = 1000;

/** Speaks to the systemd that started this process; undefined when it was started by something else. */
export function startSystemdNotifier({ env, pid, log }: SystemdNotifierOptions): SystemdNotifier | undefined {
  const { NOTIFY_SOCKET: socket, PATH: path = '/usr/bin:/bin' } = env;
  if (socket === undefined || socket === '') return undefined;
  const { say, end } = startVoice({ NOTIFY_SOCKET: socket, PATH: path }, log);
  const limitMs = watchdogMs(env, pid);
  const intervalMs = limitMs === undefined ? STATUS_MS : limitMs / PINGS_PER_LIMIT;
  let said = '';
  let isAsked = false;

  // A node may wait for hours until a person accepts it: a start that lives is not one that hangs.
  const extend = (): void => say(`EXTEND_TIMEOUT_USEC=${STATUS_MS * 2 * US_PER_MS}`);
  let timer = setInterval(extend, STATUS_MS);
  timer.unref();
  extend();

  async function beat(pulse: () => Promise<string>): Promise<void> {
    if (isAsked) return; // it has not answered yet: no sign of life
    isAsked = true;
    const status = await pulse();
    isAsked = false;
    if (status !== said) say(`STATUS=${status}`);
    said = status;
    if (limitMs !== undefined) say('WATCHDOG=1');
  }

  return {
    ready(pulse) {
      clearInterval(timer);
      timer = setInterval(() => void beat(pulse), intervalMs);
      timer.unref();
      say('READY=1');
      void beat(pulse);
    },
    stopping() {
      say('STOPPING=1');
    },
    end() {
      clearInterval(timer);
      end();
    },
  };
}

/** How long systemd waits for a sign of life; undefined when it does not, or waits for another process. */
function watchdogMs(
  { WATCHDOG_USEC: us, WATCHDOG_PID: owner }: SystemdNotifierOptions['env'],
  pid: number,
): number | undefined {
  if (us === undefined || !/^[1-9]\d{0,15}$/.test(us)) return undefined;
  return owner === undefined || owner === String(pid) ? Number(us) / US_PER_MS : undefined;
}

/** A helper that has died is replaced with the next line. */
function startVoice(env: Record<string, string>, log: Logger): { say: (line: string) => void; end: () => void } {
  let helper: ChildProcess | undefined;
  const start = (): ChildProcess => {
    const child = spawn('/bin/sh', ['-c', SCRIPT], { env, cwd: '/', stdio: ['pipe', 'ignore', 'ignore'] });
    const forget = (): void => {
      if (helper !== child) return;
      helper = undefined;
      log.warn('nobody passes on what systemd is told');
    };
    child.once('error', forget).once('exit', forget);
    child.stdin.on('error', () => undefined); // EPIPE: it has died
    child.unref();
    return child;
  };
  return {
    say(line) {
      helper ??= start();
      // What nobody reads is not worth keeping: the next sign of life says the same.
      if (helper.stdin?.writableNeedDrain === false) helper.stdin.write(`${line}\n`);
    },
    end() {
      const last = helper;
      helper = undefined;
      last?.stdin?.end();
    },
  };
}
