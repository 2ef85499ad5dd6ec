import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Names the directory in which `npm test` has built our TypeScript. */
const BUILT_VARIABLE = 'MUSTER_TEST_BUILT';

/** This file as `npm test` has built it (tests and `-child.ts`), else itself through tsx: options of Node, then the script. */
export function runnable(file: URL): Readonly<{ execArgv: readonly string[]; script: string }> {
  const source = fileURLToPath(file);
  const {
    execArgv,
    scripts: [script = source],
  } = runnables([source]);
  return { execArgv, script };
}

/** The same for several that run with the same options. */
export function runnables(
  files: readonly string[],
): Readonly<{ execArgv: readonly string[]; scripts: readonly string[] }> {
  const directory = process.env[BUILT_VARIABLE];
  const built = files.map((file) => join(directory ?? '', relative(ROOT, file)).replace(/\.ts$/, '.js'));
  return directory !== undefined && built.every((file) => existsSync(file))
    ? { execArgv: ['--enable-source-maps'], scripts: built }
    : { execArgv: ['--import', 'tsx'], scripts: files };
}
