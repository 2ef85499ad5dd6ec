/** A program and its arguments; nothing passes through a shell. */
export type SystemCommand = Readonly<{ file: string; args: readonly string[] }>;

/** How this machine is rebooted, and how that is called off. Of several commands the first that works counts. */
export type RebootCommands = Readonly<{
  /** Delays are multiples of this. */
  stepMs: number;
  schedule: (delayMs: number) => readonly SystemCommand[];
  callOff: readonly SystemCommand[];
  /** What is said of a reboot that was scheduled (F-64, F-65). */
  said: (delayMs: number) => string;
}>;

/** What decides how a machine is rebooted. */
export type RebootPlatform = Readonly<{
  platform: NodeJS.Platform;
  isRoot: boolean;
  /** This program and no other. */
  program: string | undefined;
}>;

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;

/** The commands of a platform. Those of macOS and Windows follow their manuals and were not run there. */
export function rebootCommands({ platform, isRoot, program }: RebootPlatform): RebootCommands {
  const seconds = (ms: number): string => String(Math.round(ms / SECOND_MS));
  if (program !== undefined) {
    return {
      stepMs: SECOND_MS,
      schedule: (ms) => [{ file: program, args: ['schedule', seconds(ms)] }],
      callOff: [{ file: program, args: ['cancel'] }],
      said: (ms) => (ms % MINUTE_MS === 0 ? inMinutes(ms) : `Reboot scheduled (${seconds(ms)} seconds)`),
    };
  }
  if (platform === 'win32') {
    return {
      stepMs: SECOND_MS,
      schedule: (ms) => [{ file: 'shutdown', args: ['/r', '/t', seconds(ms)] }],
      callOff: [{ file: 'shutdown', args: ['/a'] }],
      said: (ms) => `Reboot scheduled (${seconds(ms)} seconds)`,
    };
  }
  const isMac = platform === 'darwin';
  const by = (command: SystemCommand): SystemCommand[] => waysToRun(command, { isRoot, asksFirst: !isMac });
  return {
    stepMs: MINUTE_MS,
    schedule: (ms) => by({ file: 'shutdown', args: ['-r', `+${Math.round(ms / MINUTE_MS)}`] }),
    // On macOS a shutdown that waits is a process, and has no other way to be called off.
    callOff: by(isMac ? { file: 'killall', args: ['shutdown'] } : { file: 'shutdown', args: ['-c'] }),
    said: inMinutes,
  };
}

/**
 * Root needs no other program. Another user asks logind first, which a rule of polkit may allow (`asksFirst`), and then
 * sudo, which must not wait for a password.
 */
function waysToRun(command: SystemCommand, { isRoot, asksFirst }: { isRoot: boolean; asksFirst: boolean }) {
  const bySudo = { file: 'sudo', args: ['-n', command.file, ...command.args] };
  if (isRoot) return [command];
  return asksFirst ? [command, bySudo] : [bySudo];
}

function inMinutes(ms: number): string {
  const minutes = Math.round(ms / MINUTE_MS);
  return `Reboot scheduled (${minutes} ${minutes === 1 ? 'minute' : 'minutes'})`;
}
