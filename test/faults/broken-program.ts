import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { type Breakage, createBreaker, ROOT } from './breakage.js';

/**
 * Builds the command with breakages of broker and controller into this directory; gives the file to run.
 * @throws {Error} when a piece of source is not there exactly once
 */
export async function buildBrokenProgram(directory: string, breakages: readonly Breakage[]): Promise<string> {
  const { plugin, expectBroken } = createBreaker(breakages);
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: { main: 'cli/main.ts' },
    outdir: directory,
    outExtension: { '.js': '.mjs' },
    write: false,
    ...{ bundle: true, splitting: true, platform: 'node', target: 'node20', format: 'esm', logLevel: 'silent' },
    packages: 'external',
    plugins: [plugin],
  });
  expectBroken();
  for (const { path, contents } of outputFiles) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, contents);
  }
  await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules')); // where it looks for its libraries
  return join(directory, 'main.mjs');
}
