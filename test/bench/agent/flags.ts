/** How the systemd unit starts the agent; a test holds the two together. */
export const AGENT_FLAGS = ['--max-semi-space-size=2', '--expose-gc'] as const;
export const AGENT_ENVIRONMENT = { MALLOC_TRIM_THRESHOLD_: '65536' } as const;
