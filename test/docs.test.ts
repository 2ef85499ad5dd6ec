import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAGES = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

/** Text without what stands between the fences of code blocks. */
function prose(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8').replaceAll(/^```[\s\S]*?^```/gm, '');
}

/** The anchors of a page, made from its headings as GitHub makes them. */
function anchorsOf(page: string): Set<string> {
  const headings = prose(page).matchAll(/^#+ (.+)$/gm);
  return new Set(
    [...headings].map(([, title]) =>
      (title ?? '')
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

for (const page of PAGES) {
  test(`the links of ${page} lead somewhere`, () => {
    for (const [, target] of prose(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (target === undefined || /^[a-z]+:/.test(target)) continue;
      const [path, anchor] = target.split('#');
      const file = path === '' || path === undefined ? page : join(dirname(page), path);
      assert.ok(existsSync(join(ROOT, file)), `there is no ${file}`);
      if (anchor !== undefined) assert.ok(anchorsOf(file).has(anchor), `${file} has no heading for #${anchor}`);
    }
  });

  test(`the files that ${page} names exist`, () => {
    const folders = 'agent|bin|broker|cli|controller|deploy|docs|protocol|runtime|scripts|test';
    for (const [, path] of prose(page).matchAll(new RegExp(`\`((?:${folders})/[\\w./-]+)\``, 'g'))) {
      assert.ok(existsSync(join(ROOT, path ?? '')), `there is no ${path}`);
    }
  });
}

test('F-85, F-86, F-87: the README has examples, the API describes each route of the queue, and there is a page for trouble', () => {
  const { paths } = JSON.parse(readFileSync(join(ROOT, 'docs/reference/openapi.json'), 'utf8'));

  assert.match(readFileSync(join(ROOT, 'README.md'), 'utf8'), /```sh[\s\S]*\bmuster run /);
  for (const [path, method] of [
    ['/api/actions/queue', 'post'],
    ['/api/actions/pending', 'get'],
    ['/api/actions/report', 'post'],
  ] as const) {
    assert.ok(paths[path]?.[method]?.summary, `${method} ${path}`);
  }
  assert.ok(anchorsOf('docs/operate.md').has('trouble'));
});
