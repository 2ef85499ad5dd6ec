import { writeFile } from 'node:fs/promises';
import { build } from 'esbuild';
import { type Breakage, createBreaker, ROOT } from './breakage.js';

/**
 * Builds the agent with breakages of it as one file.
 * @throws {Error} when a piece of source is not there exactly once
 */
export async function buildBrokenAgent(outfile: string, breakages: readonly Breakage[]): Promise<void> {
  const { plugin, expectBroken } = createBreaker(breakages);
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['agent/main.ts'],
    outfile,
    write: false,
    ...{ bundle: true, platform: 'node', target: 'node20', format: 'cjs', logLevel: 'silent' },
    plugins: [plugin],
  });
  expectBroken();
  for (const { path, contents } of outputFiles) await writeFile(path, contents);
}
