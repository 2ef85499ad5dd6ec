// Bundles the command (its libraries stay in node_modules), the agent as one file that needs only Node, and the dashboard.
import { mkdirSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { buildAgent } from './agent-bundle.js';
import { buildDashboard } from './build-dashboard.js';

const AGENT = 'dist/agent/muster-agent.cjs';
const root = fileURLToPath(new URL('..', import.meta.url));
const { metafile } = await build({
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
  metafile: true,
  sourcemap: 'linked',
  sourcesContent: false,
  entryPoints: { 'cli/main': 'cli/main.ts' },
  outdir: 'dist',
  format: 'esm',
  splitting: true,
  packages: 'external',
});
await buildAgent(AGENT);
const page = await buildDashboard(root);
removeOthers(new Set([...Object.keys(metafile.outputs), AGENT, `${AGENT}.map`, ...page]));
linkCommand();

/** What builds before have left. Not everything, and not before: what runs meanwhile still finds its files. */
function removeOthers(outputs) {
  for (const name of readdirSync(join(root, 'dist'), { recursive: true })) {
    const file = `dist/${name.replaceAll('\\', '/')}`;
    if (!outputs.has(file) && statSync(join(root, file)).isFile()) rmSync(join(root, file), { force: true });
  }
}

/** In this checkout `npx muster` finds the command where npm puts those of the libraries. */
function linkCommand() {
  const bin = new URL('../node_modules/.bin/', import.meta.url);
  mkdirSync(bin, { recursive: true });
  rmSync(new URL('muster', bin), { force: true });
  symlinkSync('../../bin/muster.js', new URL('muster', bin));
}
