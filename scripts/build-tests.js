// Builds test files to plain JavaScript, once for a whole run: each process of a test then starts without a compiler, and
// reads a few large files where there were hundreds of small ones. Libraries stay in node_modules, but for the one that
// is 250 files.
import { readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
/** What tests start as processes of their own, besides what is shipped. */
const CHILDREN = [
  'agent/main.ts',
  'scripts/generate.ts',
  ...readdirSync(join(root, 'test'), { recursive: true }).flatMap(childOf),
];

/** Builds them into an empty directory, which is this run's alone; gives where they lie there, in the same order. */
export async function buildTests(files, directory) {
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules')); // where they look for their libraries
  await build({
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    target: 'node20',
    logLevel: 'warning',
    sourcemap: 'linked',
    sourcesContent: false,
    entryPoints: [...files, ...CHILDREN],
    outbase: '.',
    outdir: directory,
    format: 'esm',
    splitting: true,
    packages: 'external',
    plugins: [withOwnUrls(), withKysely()],
  });
  return files.map((file) => join(directory, file.replace(/\.ts$/, '.js')));
}

/** A test reads files beside its source: what is built still says where that lies. */
function withOwnUrls() {
  return {
    name: 'with-own-urls',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, ({ path }) => ({
        contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)),
        loader: 'ts',
      }));
    },
  };
}

function withKysely() {
  return {
    name: 'with-kysely',
    setup({ onResolve }) {
      onResolve({ filter: /^kysely$/ }, () => ({ path: fileURLToPath(import.meta.resolve('kysely')) }));
    },
  };
}

function childOf(file) {
  return file.endsWith('-child.ts') && !file.includes('node_modules/') ? [`test/${file}`] : [];
}
