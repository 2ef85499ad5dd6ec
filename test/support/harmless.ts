/** What every agent of a test is started with: no ask that goes astray reaches this machine, to reboot it or to stop its containers. */
export const HARMLESS = { reboot_command: '/bin/false', containers_socket: 'off' } as const;

/** The same, for an agent that is a process of its own. */
export const HARMLESS_ENV = {
  MUSTER_AGENT_REBOOT_COMMAND: HARMLESS.reboot_command,
  MUSTER_AGENT_CONTAINERS_SOCKET: HARMLESS.containers_socket,
} as const;
