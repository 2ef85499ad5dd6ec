import { formatDuration } from '../../protocol/durations.js';
import type { ActionSpec, HookSpec } from '../../protocol/messages/capabilities.js';
import type { Action } from './action.js';
import type { Hook } from './hooks/discover.js';

/** What a node can do, by name. */
export type Registry = Readonly<{
  /** A built-in, else a hook of this name (P-29). */
  find: (name: string) => Action | undefined;
  /**
   * Adds a built-in (P-20).
   * @throws {Error} when there is one of this name: two parts of the program claim it
   */
  register: (action: Action) => void;
  /** Replaces all hooks (P-21); later changes to the list change nothing here. */
  setHooks: (hooks: readonly Hook[]) => void;
  /** What is announced of the built-ins and the hooks (P-22), copies. A hook that a built-in shadows is left out. */
  describe: () => { builtins: ActionSpec[]; hooks: HookSpec[] };
}>;

/** A registry of these built-ins; `toAction` makes a hook runnable. Look-ups are by Map: the name comes from the wire. */
export function createRegistry({
  builtins,
  toAction,
}: {
  builtins: readonly Action[];
  toAction: (hook: Hook) => Action;
}): Registry {
  const builtinByName = new Map<string, Action>();
  let hookByName = new Map<string, { spec: HookSpec; action: Action }>();

  const register = (action: Action): void => {
    if (builtinByName.has(action.name)) throw new Error(`two built-ins are named ${action.name}`);
    builtinByName.set(action.name, action);
  };
  for (const action of builtins) register(action);

  return {
    find: (name) => builtinByName.get(name) ?? hookByName.get(name)?.action,
    register,
    setHooks(hooks) {
      hookByName = new Map(
        hooks.map((given) => {
          const hook = structuredClone(given);
          return [hook.spec.name, { spec: hook.spec, action: toAction(hook) }];
        }),
      );
    },
    describe: () => ({
      builtins: [...builtinByName.values()].map(toSpec),
      hooks: [...hookByName.values()]
        .filter(({ spec }) => !builtinByName.has(spec.name))
        .map(({ spec }) => structuredClone(spec)),
    }),
  };
}

function toSpec({ name, description, risk, parameters, timeoutMs, concurrency }: Action): ActionSpec {
  return {
    name,
    description,
    risk,
    parameters: structuredClone([...parameters]),
    ...(timeoutMs === undefined ? {} : { timeout: formatDuration(timeoutMs) }),
    ...(concurrency === undefined ? {} : { concurrency }),
  };
}
