// Bundles the command (its libraries stay in node_modules) and the agent as one file that needs only Node.
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { build } from 'esbuild';

const root = new URL('..', import.meta.url).pathname;
const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
  sourcemap: 'linked',
  sourcesContent: false,
};

rmSync(new URL('../dist', import.meta.url), { recursive: true, force: true });
await build({
  ...common,
  entryPoints: { 'cli/main': 'cli/main.ts' },
  outdir: 'dist',
  format: 'esm',
  splitting: true,
  packages: 'external',
});
await build({
  ...common,
  entryPoints: { 'agent/muster-agent': 'agent/main.ts' },
  outdir: 'dist',
  outExtension: { '.js': '.cjs' },
  format: 'cjs',
  minifySyntax: true,
  minifyWhitespace: true,
  plugins: [withoutLocales(), withoutUnused()],
});

linkCommand();

/** In this checkout `npx muster` finds the command where npm puts those of the libraries. */
function linkCommand() {
  const bin = new URL('../node_modules/.bin/', import.meta.url);
  mkdirSync(bin, { recursive: true });
  rmSync(new URL('muster', bin), { force: true });
  symlinkSync('../../bin/muster.js', new URL('muster', bin));
}

/** zod's error texts in 40 languages are 264 kB that a device never shows. */
function withoutLocales() {
  return {
    name: 'without-locales',
    setup({ onLoad }) {
      onLoad({ filter: /zod[\\/]v4[\\/]locales[\\/]index\.(js|cjs)$/ }, () => ({
        contents: 'export { default as en } from "./en.js";',
        loader: 'js',
      }));
    },
  };
}

/** What mqtt and prom-client bring along for SOCKS proxies and for exemplars, neither of which an agent has. */
function withoutUnused() {
  return {
    name: 'without-unused',
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /^(socks|@opentelemetry\/api)$/ }, ({ path }) => ({ path, namespace: 'unused' }));
      onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'module.exports = {};', loader: 'js' }));
    },
  };
}
