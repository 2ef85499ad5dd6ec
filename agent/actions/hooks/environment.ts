import type { ParameterValue } from '../../../protocol/messages/parameters.js';

/** What a hook sees when the agent itself has no PATH or HOME. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const DEFAULT_HOME = '/';

/** Whose hook runs for which execution, and with what. */
export type EnvironmentSource = Readonly<{
  /** `MUSTER_`, or `PLEXD_` for the names of P-43 to the letter. */
  prefix: string;
  nodeId: string;
  executionId: string;
  parameters: ReadonlyMap<string, ParameterValue>;
  /** The agent's own environment, of which PATH and HOME are passed on (P-80, P-81). */
  agentEnv: Readonly<Record<string, string | undefined>>;
}>;

export type HookEnvironment =
  | Readonly<{ kind: 'environment'; env: Readonly<Record<string, string>> }>
  | Readonly<{ kind: 'invalid'; message: string }>;

/** All that a hook's environment holds (P-43): PATH, HOME, NODE_ID, EXECUTION_ID and one PARAM_ for each parameter. */
export function hookEnvironment({
  prefix,
  nodeId,
  executionId,
  parameters,
  agentEnv,
}: EnvironmentSource): HookEnvironment {
  const env: Record<string, string> = {
    PATH: agentEnv.PATH ?? DEFAULT_PATH,
    HOME: agentEnv.HOME ?? DEFAULT_HOME,
    [nodeIdName(prefix)]: nodeId,
    [executionIdName(prefix)]: executionId,
  };
  for (const [name, value] of parameters) {
    const variable = parameterVariable(prefix, name);
    if (Object.hasOwn(env, variable))
      return { kind: 'invalid', message: `Two parameters become the one variable ${variable}.` };
    const text = String(value);
    if (text.includes('\0')) return { kind: 'invalid', message: `The parameter ${name} holds a NUL character.` };
    env[variable] = text;
  }
  return { kind: 'environment', env };
}

/** The variable of a parameter: every character but ASCII letters, digits and `_` becomes `_`, upper case (P-78). */
export function parameterVariable(prefix: string, name: string): string {
  return `${prefix}PARAM_${name.replace(/[^A-Za-z0-9_]/gu, '_').toUpperCase()}`;
}

/** The environment entries that together only the processes of this execution have: a broadcast has one id on all nodes. */
export function executionMarker(
  prefix: string,
  { nodeId, executionId }: Pick<EnvironmentSource, 'nodeId' | 'executionId'>,
): readonly string[] {
  return [`${nodeIdName(prefix)}=${nodeId}`, `${executionIdName(prefix)}=${executionId}`];
}

function nodeIdName(prefix: string): string {
  return `${prefix}NODE_ID`;
}

function executionIdName(prefix: string): string {
  return `${prefix}EXECUTION_ID`;
}
