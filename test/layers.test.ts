import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sourceFiles } from './support/source-files.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Folder → the folders it may import from, beside itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  runtime: ['protocol'],
  broker: ['protocol', 'runtime'],
  agent: ['protocol', 'runtime'],
  controller: ['protocol', 'runtime'],
  cli: ['protocol', 'runtime', 'broker', 'agent', 'controller'],
  deploy: ['protocol', 'runtime', 'broker', 'agent', 'controller'],
  scripts: ['protocol', 'runtime', 'broker', 'agent', 'controller', 'cli', 'deploy', 'test'],
  test: ['protocol', 'runtime', 'broker', 'agent', 'controller', 'cli', 'deploy', 'scripts'],
};

/** Library → where it may be imported in what we ship. */
const HOMES: Readonly<Record<string, RegExp>> = {
  aedes: /^broker\//,
  mqtt: /^runtime\//,
  'prom-client': /(^|\/)metrics\.ts$/,
  '@modelcontextprotocol/server': /^controller\/mcp\//,
  '@modelcontextprotocol/server/stdio': /^controller\/mcp\//,
  libsql: /^controller\/store\//,
  'openid-client': /^controller\/sign-in\//,
  pg: /^controller\/store\//,
  kysely: /^controller\//,
  react: /^controller\/dashboard\/app\//,
  'react-dom/client': /^controller\/dashboard\/app\/main\.tsx$/,
  '@tanstack/react-query': /^controller\/dashboard\/app\//,
  '@tanstack/react-virtual': /^controller\/dashboard\/app\/parts\//,
  wouter: /^controller\/dashboard\/app\//,
  anser: /^controller\/dashboard\/app\/parts\//,
  fastify: /^controller\/http\//,
  '@fastify/swagger': /^controller\/http\//,
  '@fastify/swagger-ui': /^controller\/http\//,
  'fastify-type-provider-zod': /^controller\/http\//,
  execa: /^agent\/actions\//,
  commander: /^cli\//,
  'cli-table3': /^cli\//,
  picocolors: /^cli\//,
  pino: /^runtime\//,
  ws: /^(broker|controller\/http)\/websocket\.ts$/,
  yaml: /^(runtime|agent)\//,
};

type Import = Readonly<{ file: string; target: string; isType: boolean }>;

const FILES = sourceFiles(ROOT);
const SHIPPED = FILES.filter((file) => !/^(test|scripts|deploy)\//.test(file));
const textOf = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const IMPORTS = FILES.flatMap((file) => importsOf(file));

test('the source was found', () => {
  for (const folder of ['protocol', 'runtime', 'broker', 'agent', 'controller', 'cli', 'test'])
    assert.ok(
      FILES.some((file) => file.startsWith(`${folder}/`)),
      folder,
    );
  assert.ok(IMPORTS.length > 500);
});

test('imports point one way: protocol, runtime, the parts, cli, test', () => {
  for (const { file, target } of IMPORTS.filter(({ target }) => target.startsWith('.'))) {
    const from = folderOf(file);
    const to = folderOf(relative(ROOT, join(ROOT, dirname(file), target)));
    if (to === 'package.json') continue;
    assert.ok(from === to || MAY_IMPORT[from]?.includes(to), `${file} imports ${target}`);
  }
});

test('the code of each library is used in one home', () => {
  for (const { file, target } of IMPORTS.filter(({ file, isType }) => SHIPPED.includes(file) && !isType)) {
    const home = HOMES[target];
    if (home !== undefined) assert.match(file, home, `${file} imports ${target}`);
  }
});

test('every library that is shipped is used', () => {
  const { dependencies } = JSON.parse(textOf('package.json'));
  const used = new Set(IMPORTS.filter(({ file }) => SHIPPED.includes(file)).map(({ target }) => target));
  for (const name of Object.keys(dependencies)) assert.ok(used.has(name), `${name} is not imported`);
});

test('the protocol has no file, network, process, clock or chance', () => {
  for (const file of SHIPPED.filter((each) => each.startsWith('protocol/'))) {
    const libraries = importsOf(file).filter(({ target }) => !target.startsWith('.'));
    for (const { target } of libraries) assert.ok(['zod', 'node:crypto'].includes(target), `${file} imports ${target}`);
    assert.doesNotMatch(
      textOf(file),
      /\bDate\.now\b|new Date\(\)|\bperformance\b|Math\.random|\bprocess\.[a-z]|randomBytes|randomUUID|setTimeout|console\./,
      file,
    );
  }
});

test('no file of ours is longer than 400 lines', () => {
  for (const file of FILES) assert.ok(textOf(file).split('\n').length <= 401, file);
});

test('a path of ours is never what a URL has for it, where a blank is %20', () => {
  const scripts = readdirSync(join(ROOT, 'scripts')).map((name) => `scripts/${name}`);
  for (const file of [...FILES, ...scripts.filter((name) => name.endsWith('.js'))])
    assert.doesNotMatch(textOf(file), /import\.meta\.url\)\.pathname/, file);
});

test('files and folders are in kebab-case and none is called utils, helpers or types', () => {
  for (const file of FILES) {
    for (const level of file.split('/')) assert.match(level, /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|mjs|d|tsx?|js))*$/, file);
    assert.doesNotMatch(basename(file), /^(utils?|helpers?|types|misc|common|index)\.ts$/, file);
  }
});

test('imports name their file as it will run, and nothing is exported by default', () => {
  for (const { file, target } of IMPORTS) if (target.startsWith('.')) assert.match(target, /\.(js|json|css)$/, file);
  for (const file of FILES) assert.doesNotMatch(textOf(file), /^export default /m, file);
});

test('nothing is left for later', () => {
  const marks = new RegExp(
    `\\b(${['TO', 'FIX', 'HA', 'X'].map((each, i) => each + ['DO', 'ME', 'CK', 'XX'][i]).join('|')})\\b`,
  );
  for (const file of FILES) assert.doesNotMatch(textOf(file), marks, file);
});

function importsOf(file: string): Import[] {
  const text = textOf(file);
  const fixed = text.matchAll(/^(?:import|export)( type)? (?:(?:[\w*]|\{[^}]*\})[\w\s,*{}]*? from )?'([^'\n]+)';$/gm);
  const dynamic = text.matchAll(/()\bimport\(\s*'([^'\n]+)'/g);
  return [...fixed, ...dynamic].map(([, type, target = '']) => ({ file, target, isType: type === ' type' }));
}

function folderOf(path: string): string {
  return path.split('/', 1)[0] ?? '';
}
