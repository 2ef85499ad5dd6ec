// Bundles the command (its libraries stay in node_modules) and the agent as one file that needs only Node.
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { build } from 'esbuild';
import { buildAgent } from './agent-bundle.js';

const root = new URL('..', import.meta.url).pathname;
rmSync(new URL('../dist', import.meta.url), { recursive: true, force: true });
await build({
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
  sourcemap: 'linked',
  sourcesContent: false,
  entryPoints: { 'cli/main': 'cli/main.ts' },
  outdir: 'dist',
  format: 'esm',
  splitting: true,
  packages: 'external',
});
await buildAgent('dist/agent/muster-agent.cjs');
linkCommand();

/** In this checkout `npx muster` finds the command where npm puts those of the libraries. */
function linkCommand() {
  const bin = new URL('../node_modules/.bin/', import.meta.url);
  mkdirSync(bin, { recursive: true });
  rmSync(new URL('muster', bin), { force: true });
  symlinkSync('../../bin/muster.js', new URL('muster', bin));
}
