// The agent as one file that needs only Node: what a device never uses is left out, what it seldom uses waits inside the
// file until it is called for. Every rule has to apply, so that a library that changes its inside fails the build here.
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Modules that libraries load and an agent never uses: by the file that loads them, and the name it says. */
const UNUSED = [
  { importer: /mqtt\/build\/lib\/connect\/socks\.js$/, path: /^socks$/ }, // proxies
  { importer: /mqtt\/build\/lib\/get-timer\.js$/, path: /^worker-timers$/ }, // timers of browsers
  { importer: /prom-client\/index\.js$/, path: /^\.\/lib\/(cluster|pushgateway|defaultMetrics)$/ },
  { importer: /pino\/lib\/transport\.js$/, path: /^thread-stream$/ }, // logs by way of a worker thread
];

/** Functions that pull in TLS, WebSockets or YAML, which an agent may never need: loaded when they are called. */
const LAZY = [
  { importer: /\/runtime\/config\.ts$/, path: /^yaml$/, name: 'parse' },
  { importer: /mqtt\/build\/lib\/connect\/index\.js$/, path: /^\.\/tls$/, name: 'default' },
  { importer: /mqtt\/build\/lib\/connect\/index\.js$/, path: /^\.\/ws$/, name: 'streamBuilder' },
];

/** Bundles agent/main.ts into this file, its source map beside it. Names stay whole, so that a stack can be read. */
export async function buildAgent(outfile) {
  await build({
    absWorkingDir: root,
    entryPoints: ['agent/main.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: 'linked',
    sourcesContent: false,
    logLevel: 'warning',
    // A copy of Node's own streams, which are loaded anyway.
    alias: { 'readable-stream': 'node:stream' },
    plugins: [withoutLocales(), withoutUnused(), lazily(), onlyUsedSchemas()],
  });
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

/** `import { z }` brings all of zod along, since an object that is passed on as a whole keeps all of its members. */
function onlyUsedSchemas() {
  const whole = "import { z } from 'zod'";
  return {
    name: 'only-used-schemas',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, ({ path }) => ({
        contents: readFileSync(path, 'utf8').replace(whole, "import * as z from 'zod'"),
        loader: 'ts',
      }));
    },
  };
}

function withoutUnused() {
  return applied('without-unused', UNUSED, ({ onLoad }) =>
    onLoad({ filter: /.*/, namespace: 'without-unused' }, () => ({ contents: 'module.exports = {};', loader: 'js' })),
  );
}

function lazily() {
  return applied('lazily', LAZY, ({ onLoad }) =>
    onLoad({ filter: /.*/, namespace: 'lazily' }, ({ path, pluginData: { rule, importer } }) => ({
      contents: `exports.__esModule = true; exports.${rule.name} = (...all) => require(${JSON.stringify(path)}).${rule.name}(...all);`,
      resolveDir: dirname(importer),
      loader: 'js',
    })),
  );
}

/** A plugin that resolves what the rules name to a namespace of its own, and fails when a rule names nothing. */
function applied(name, rules, load) {
  return {
    name,
    setup(hooks) {
      const missing = new Set(rules);
      hooks.onResolve({ filter: /.*/ }, ({ path, importer, namespace }) => {
        if (namespace === name) return undefined;
        const rule = rules.find((each) => each.importer.test(importer) && each.path.test(path));
        if (rule === undefined) return undefined;
        missing.delete(rule);
        return { path, namespace: name, pluginData: { rule, importer } };
      });
      load(hooks);
      hooks.onEnd(() => ({
        errors: [...missing].map(({ importer, path }) => ({ text: `nothing in ${importer} loads ${path} any more` })),
      }));
    },
  };
}
