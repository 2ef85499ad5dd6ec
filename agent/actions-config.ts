/** What holds the processes of an action together, best first. */
export const ISOLATION_LIMITS = ['cgroup', 'pid_namespace', 'process_group'] as const;
export type IsolationLimit = (typeof ISOLATION_LIMITS)[number];

/** What bounds the actions of a node (P-8…P-12); durations in milliseconds. */
export type ActionsConfig = Readonly<{
  enabled: boolean;
  hooksDir: string;
  maxConcurrent: number;
  maxActionTimeoutMs: number;
  maxOutputBytes: number;
}>;

/** P-8…P-12. */
export const ACTIONS_DEFAULTS: ActionsConfig = {
  enabled: true,
  hooksDir: '',
  maxConcurrent: 5,
  maxActionTimeoutMs: 600_000,
  maxOutputBytes: 1024 * 1024,
};

const MIN_TIMEOUT_MS = 10_000;
const MIN_OUTPUT_BYTES = 1024;

/**
 * Fills in what is zero or absent (P-13). When no number is set at all, `enabled` becomes true whatever was given:
 * an empty config means "the defaults". As soon as one number is set, `enabled` stays as given.
 */
export function applyDefaults(given: Partial<ActionsConfig>): ActionsConfig {
  const { enabled = false, hooksDir = '', maxConcurrent = 0, maxActionTimeoutMs = 0, maxOutputBytes = 0 } = given;
  const isUntouched = maxConcurrent === 0 && maxActionTimeoutMs === 0 && maxOutputBytes === 0;
  return {
    enabled: isUntouched ? ACTIONS_DEFAULTS.enabled : enabled,
    hooksDir,
    maxConcurrent: maxConcurrent === 0 ? ACTIONS_DEFAULTS.maxConcurrent : maxConcurrent,
    maxActionTimeoutMs: maxActionTimeoutMs === 0 ? ACTIONS_DEFAULTS.maxActionTimeoutMs : maxActionTimeoutMs,
    maxOutputBytes: maxOutputBytes === 0 ? ACTIONS_DEFAULTS.maxOutputBytes : maxOutputBytes,
  };
}

/** What is wrong (P-14…P-16), by the key of agent/config.ts; nothing when actions are disabled (P-17). */
export function actionsFaults(config: ActionsConfig): { key: string; text: string }[] {
  if (!config.enabled) return [];
  const faults: { key: string; text: string }[] = [];
  const check = (isGood: boolean, key: string, text: string): void => {
    if (!isGood) faults.push({ key, text: `actions: config: ${text}` });
  };
  check(config.maxConcurrent >= 1, 'max_concurrent', 'MaxConcurrent must be at least 1');
  check(config.maxActionTimeoutMs >= MIN_TIMEOUT_MS, 'max_action_timeout', 'MaxActionTimeout must be at least 10s');
  check(config.maxOutputBytes >= MIN_OUTPUT_BYTES, 'max_output_bytes', 'MaxOutputBytes must be at least 1024');
  return faults;
}
