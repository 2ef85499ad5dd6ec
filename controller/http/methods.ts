/** Which methods each address takes, so that a wrong one can be told from a wrong address. */
export type MethodTable = Readonly<{
  /** A route as fastify was given it: `/api/v1/nodes/:node`. */
  add: (pattern: string, methods: readonly string[]) => void;
  /** The methods of this path, sorted; empty when there is nothing under it. */
  of: (path: string) => readonly string[];
}>;

export function createMethodTable(): MethodTable {
  const methodsOf = new Map<string, Set<string>>();
  return {
    add(pattern, methods) {
      const known = methodsOf.get(pattern) ?? new Set();
      for (const method of methods) known.add(method);
      methodsOf.set(pattern, known);
    },
    of(path) {
      const found = [...methodsOf].find(([pattern]) => matches(pattern.split('/'), path.split('/')));
      return [...(found?.[1] ?? [])].sort();
    },
  };
}

function matches(pattern: readonly string[], path: readonly string[]): boolean {
  return (
    pattern.length === path.length &&
    pattern.every((level, index) => (level.startsWith(':') ? path[index] !== '' : level === path[index]))
  );
}
