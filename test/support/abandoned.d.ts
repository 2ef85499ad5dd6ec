/** What the name of a directory of this process begins with; `mkdtemp` adds six characters. */
export function ownPrefix(): string;

/** Removes what tests of processes left in these directories that are no more; gives what is gone. */
export function clearAbandoned(parents: readonly string[]): string[];
