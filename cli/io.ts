import { createColors } from 'picocolors';

/** Where text goes. `columns` is the width of the terminal, undefined where there is none. */
export type Output = Readonly<{
  write: (text: string) => unknown;
  isTTY?: boolean | undefined;
  columns?: number | undefined;
}>;

/** What a command may touch of its process. */
export type Io = Readonly<{
  env: Readonly<Record<string, string | undefined>>;
  stdout: Output;
  stderr: Output;
  /** True when a person types at a terminal. */
  isInteractive: boolean;
  /** One line that a person types after the prompt, which goes to stderr. Empty at the end of the input. */
  readLine: (prompt: string) => Promise<string>;
  /** One line that is not shown: typed, or the first of the standard input. Empty at its end. */
  readSecret: (prompt: string) => Promise<string>;
  /** The exit code that the command ends with; 0 when it is never called. */
  exitWith: (code: number) => void;
  /** Calls back when the user interrupts; gives what takes the listener away. */
  onInterrupt: (listener: () => void) => () => void;
}>;

/** Green, red and dim text where the output is a terminal that wants colour (no-color.org), plain text elsewhere. */
export function colorsFor({ stdout, env }: Pick<Io, 'stdout' | 'env'>): ReturnType<typeof createColors> {
  const isWanted = (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb';
  return createColors(stdout.isTTY === true && isWanted);
}

/** One line to stdout. The text must be safe already. */
export function printLine({ stdout }: Pick<Io, 'stdout'>, text: string): void {
  stdout.write(`${text}\n`);
}
