import { z } from 'zod';

const MAX_ENTRIES = 64;

/** Started as it is, without a shell and without looking for it. */
const Program = z
  .string()
  .max(4096)
  .regex(/^\/[^\0]*$/, 'must be an absolute path');

/** The kernel takes no longer path of a socket. */
const MAX_SOCKET_PATH = 107;

const PathList = z
  .array(
    z
      .string()
      .max(4096)
      .regex(/^\/[^\0]*$/, 'must be an absolute path'),
  )
  .max(MAX_ENTRIES)
  .default([]);

/** What systemd calls a unit, without the characters that make a pattern of it. */
const UnitName = z.string().regex(/^[A-Za-z0-9_:@\\][A-Za-z0-9_:.@\\-]{0,254}$/, 'must be the name of a systemd unit');

const UnitList = z.array(UnitName).max(MAX_ENTRIES).default([]);

/** `tcp://host:port`, `http(s)://…` or `dns://name`; never with a password in it, since reports repeat it. */
const HealthTarget = z
  .string()
  .max(512)
  .refine(isHealthTarget, 'must be tcp://host:port, http://…, https://… or dns://name, without user and password');

/**
 * What the built-in actions of this node may look at and touch: nothing that its owner has not listed. Part of the
 * agent's settings, and so documented by the descriptions.
 */
export const BUILTIN_SETTINGS = {
  containers_socket: z
    .string()
    .max(MAX_SOCKET_PATH)
    .regex(/^(\/.*[^/]|off)?$/, 'must be an absolute path, or off')
    .default('')
    .describe(
      'Socket of the container engine, Docker or Podman; when empty the first that is there of /var/run/docker.sock, /run/podman/podman.sock, and docker.sock and podman/podman.sock in XDG_RUNTIME_DIR; no container actions when off',
    ),
  readable_files: PathList.describe('Files, and directories with all below them, that file_fetch may read'),
  log_files: PathList.describe('Files, and directories with all below them, that logs_tail may read'),
  log_units: UnitList.describe('Units of systemd whose journal logs_tail may read'),
  services: UnitList.describe('Units of systemd that service_status may show and service_restart may restart'),
  message_program: Program.optional().describe(
    'Program that shows a message instead of the programs of the system: it gets title and text as two arguments, and as MUSTER_MESSAGE_TITLE and MUSTER_MESSAGE_TEXT',
  ),
  reboot_command: z
    .union([Program, z.literal('off')], 'must be an absolute path, or off')
    .optional()
    .describe(
      'Program that reboots the node instead of the one of the system: it gets `schedule SECONDS`, or `cancel`; off refuses every reboot',
    ),
  health_targets: z
    .array(HealthTarget)
    .max(32)
    .default([])
    .describe(
      'What health_check tests beside broker, controller, disks and services: `tcp://host:port`, a URL, or `dns://name`',
    ),
};

const BuiltinSettings = z.object(BUILTIN_SETTINGS);
export type BuiltinSettings = Readonly<z.infer<typeof BuiltinSettings>>;

function isHealthTarget(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, port, username, password, pathname } = new URL(text);
  if (hostname === '' || username !== '' || password !== '') return false;
  if (protocol === 'tcp:') return port !== '' && pathname === '';
  return protocol === 'http:' || protocol === 'https:' || (protocol === 'dns:' && port === '' && pathname === '');
}
