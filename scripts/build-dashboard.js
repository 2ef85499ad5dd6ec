// Bundles the page: dist/dashboard/index.html and what it loads, each file under a name that changes with its contents.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';

const SOURCE = 'controller/dashboard';
const OUT = 'dist/dashboard';

/** Gives the files that it wrote, from the root of the checkout. */
export async function buildDashboard(root) {
  const { metafile } = await build({
    absWorkingDir: root,
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: ['chrome110', 'firefox115', 'safari16'],
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    entryPoints: { dashboard: `${SOURCE}/app/main.tsx` },
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    assetNames: '[name]-[hash]',
    outdir: `${OUT}/assets`,
  });
  const files = Object.keys(metafile.outputs);
  const page = `${OUT}/index.html`;
  mkdirSync(join(root, OUT), { recursive: true });
  writeFileSync(join(root, page), fillIn(readFileSync(join(root, SOURCE, 'index.html'), 'utf8'), metafile.outputs));
  return [...files, page];
}

/** The page with the addresses of its script and style, which lie beside it wherever it is served. */
function fillIn(template, outputs) {
  const [script, { cssBundle }] = Object.entries(outputs).find(([, { entryPoint }]) => entryPoint !== undefined);
  return template
    .replace('{{script}}', `assets/${basename(script)}`)
    .replace('{{style}}', `assets/${basename(cssBundle)}`);
}
