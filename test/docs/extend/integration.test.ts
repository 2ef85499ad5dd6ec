import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { tsImport } from 'tsx/esm/api';
import type { Adapter } from '../../../controller/integrations/adapter.js';
import { ADAPTERS } from '../../../controller/integrations/adapters/list.js';
import { readDeclaredFile } from '../../../controller/integrations/declared/read-file.js';
import type { TestScope } from '../../support/broker.js';
import { connectAdapter } from '../../support/connect-adapter.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PAGE = readFileSync(join(ROOT, 'docs/extend.md'), 'utf8');
const SECTION = PAGE.slice(PAGE.indexOf('\n## Another system\n'), PAGE.indexOf('\n## A program that asks\n'));

test('A-39, A-63: the adapter that the page builds from nothing is built as it stands there, and works', async (t) => {
  const adapter = await loadAdapter(t, codeOf('ts'));
  const { execute, check, standIn } = await connectAdapter(t, adapter, () => ({ json: [{ number: 1 }] }));

  assert.deepEqual(await execute('list_issues', { owner: 'acme', repository: 'pumps', state: 'open' }), [
    { number: 1 },
  ]);
  const list = standIn.last();
  assert.deepEqual([list.method, list.path, list.query], ['GET', '/repos/acme/pumps/issues', { state: 'open' }]);
  assert.equal(list.headers.authorization, 'Bearer the-token-of-it');
  await execute('create_issue', { owner: 'acme', repository: 'pumps', title: 'Loud' });
  const create = standIn.last();
  assert.deepEqual([create.method, create.path, create.body], ['POST', '/repos/acme/pumps/issues', { title: 'Loud' }]);
  await check();
  await assert.rejects(execute('list_issues', { owner: '..', repository: 'x' }), { code: 'invalid_parameter' });
  assert.ok(ADAPTERS.every(({ integration }) => integration !== adapter.integration));
});

test('the adapter that the page declares in YAML is taken as it stands there, and works', async (t) => {
  const file = join(temporaryDirectory(t), 'adapters.yaml');
  writeFileSync(file, codeOf('yaml'));
  const [adapter] = readDeclaredFile(file).adapters;
  assert.ok(adapter);
  const { execute, standIn } = await connectAdapter(t, adapter, () => ({ json: {} }), '/api/v2');

  await execute('find', { queue: 'pumps' });
  assert.deepEqual([standIn.last().path, standIn.last().query], ['/api/v2/queues/pumps/tickets', { per_page: '20' }]);
  await execute('open', { queue: 'pumps', title: 'Loud', urgent: true });
  assert.deepEqual(standIn.last().body, { title: 'Loud', urgent: true, source: 'fleet' });
});

function codeOf(language: string): string {
  const [, code] = new RegExp(`\\n\`\`\`${language}\\n([\\s\\S]*?)\\n\`\`\``).exec(SECTION) ?? [];
  return code ?? assert.fail(`the page has no ${language}`);
}

/** The code beside the adapters that there are, without writing there. */
async function loadAdapter(t: TestScope, code: string): Promise<Adapter> {
  const home = pathToFileURL(join(ROOT, 'controller/integrations/adapters/')).href;
  const placed = code
    .replaceAll(/from '(\.[^']+)\.js'/g, (_, name: string) => `from '${new URL(`${name}.ts`, home).href}'`)
    .replaceAll(/from 'zod'/g, `from '${import.meta.resolve('zod')}'`);
  const file = join(temporaryDirectory(t), 'github.ts');
  writeFileSync(file, placed);
  const { GITHUB } = await tsImport(pathToFileURL(file).href, import.meta.url);
  return GITHUB;
}
