import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { ActionView, type CreateInvocation, InvocationAnswer } from '../../controller/http/schemas.js';
import { invoke } from '../support/asks.js';
import type { TestScope } from '../support/broker.js';
import { browserTests, showsText, signIn } from '../support/browser.js';
import { startDashboardSite } from '../support/dashboard-site.js';
import { writeHook } from '../support/hooks.js';
import { startInstallation, type TestInstallation } from '../support/installation.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const HOSTILE = '<img src=x onerror="window.harmed=1">';
const LINES = 100_000;
/** How many pixels of what was printed are below what is seen of it. */
const FROM_END = `(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight)(
  document.querySelector('.terminal'),
)`;
const FROM_START = "document.querySelector('.terminal').scrollTop";
const test = browserTests();

/** Colours, markup and junk; many lines once there is `go.1`; its last words and exit code 3 once there is `go`. */
const TALK = (go: string): string => `#!/bin/sh
printf '\\033[1;32mgreen\\033[0m \\033[38;5;208morange\\033[0m\\n'
printf '%s\\n' '${HOSTILE}'
printf 'bell\\a \\033]0;title\\aand \\342\\200\\256turned\\n'
printf '10%%\\r20%%\\rready\\n'
while ! [ -e '${go}.1' ]; do sleep 0.05; done
seq -f 'line %g' 1 300
while ! [ -e '${go}' ]; do sleep 0.05; done
echo last words
echo complaint >&2
exit 3
`;

/** A real node with hooks of these names. */
async function startNode(t: TestScope, hooks: Readonly<Record<string, string>>): Promise<TestInstallation> {
  const directory = temporaryDirectory(t);
  for (const [name, text] of Object.entries(hooks)) writeHook(directory, name, text);
  const site = await startInstallation(t, {
    dashboard: true,
    agent: { hooks_dir: directory, max_output_bytes: 20 * LINES },
  });
  await until(
    async () => {
      const offered = await site.client.list(ActionView, { path: '/actions' });
      return Object.keys(hooks).every((hook) => offered.some(({ name }) => name === hook));
    },
    { what: 'the hooks of the node' },
  );
  return site;
}

async function ask({ client }: TestInstallation, body: Partial<CreateInvocation>): Promise<string> {
  const target = { nodes: ['node-1'] };
  const { invocation } = await client.call(InvocationAnswer, {
    method: 'POST',
    path: '/invocations',
    body: { target, confirm: true, ...body },
    waitSeconds: 0,
  });
  return invocation.id;
}

async function untilAtEnd(page: Page): Promise<void> {
  await until(async () => Number(await page.evaluate(FROM_END)) < 5, { what: 'the end in sight' });
}

async function openAt(page: Page, { url, ownerToken }: TestInstallation, path: string): Promise<void> {
  await signIn(page, { url, token: ownerToken }, path);
}

test('what a hook prints is shown while it runs, in its colours, and nothing in it is more than text', async (t, browser) => {
  const go = join(temporaryDirectory(t), 'go');
  const site = await startNode(t, { talk: TALK(go) });
  const id = await ask(site, { action: 'talk', stream: true, reason: HOSTILE });
  const page = await browser.open();
  await openAt(page, site, `/invocations/${id}`);

  const stdout = page.getByRole('region', { name: 'stdout of node-1' });
  await stdout.getByText('ready').waitFor();
  assert.equal(
    await stdout.innerText(),
    ['green orange', HOSTILE, 'bell\\x07 and \\u202eturned', 'ready', ''].join('\n'),
  );
  assert.equal(await stdout.getByText('green').getAttribute('class'), 'ansi-bold ansi-green-fg');
  assert.equal(await stdout.getByText('orange').getAttribute('style'), 'color: rgb(255, 135, 0);');
  assert.deepEqual(await page.evaluate('[document.images.length, typeof window.harmed]'), [0, 'undefined']);
  assert.equal(await page.locator('h1 + .status').innerText(), 'executing');

  writeFileSync(`${go}.1`, '');
  await stdout.getByText('line 300').waitFor();
  assert.match((await stdout.textContent()) ?? '', /^green orange\n.*ready\nline 1\nline 2\n.*\nline 300\n$/s);
  const follow = page.getByRole('button', { name: 'Follow' });
  await untilAtEnd(page);
  await stdout.focus();
  await page.keyboard.press('Home');
  await until(async () => (await page.evaluate(FROM_START)) === 0, { what: 'the end of the way up' }); // it is animated
  assert.equal(await follow.getAttribute('aria-pressed'), 'false');
  await follow.click();
  await untilAtEnd(page);

  writeFileSync(go, '');
  await page.getByText('exit code 3').waitFor();
  await stdout.getByText('last words').waitFor();
  await page.getByRole('region', { name: 'stderr of node-1' }).getByText('complaint').waitFor();
  assert.equal(await page.locator('h1 + .status').innerText(), 'failed');
  const steps = await page.locator('.timeline .what').allInnerTexts();
  assert.deepEqual(steps, [
    ...['asked', 'approved', 'sent to the node', 'accepted by the node', 'finished on the node', 'failed'],
  ]);
  await showsText(page, "signed with the node's key");
});

test('of output beyond a MiB its end is shown, which is said, and the download has every byte', async (t, browser) => {
  const site = await startNode(t, { flood: `#!/bin/sh\nseq -f 'line %08g' 1 ${LINES}\n` });
  const id = await ask(site, { action: 'flood' });
  const page = await browser.open();
  await openAt(page, site, `/invocations/${id}?node=node-1`);

  const stdout = page.getByRole('region', { name: 'stdout of node-1' });
  await page
    .locator('.output .hint', { hasText: 'Only the end is shown, 1.0 MB. The download has all of it.' })
    .waitFor();
  const text = (await stdout.textContent()) ?? '';
  assert.ok(text.length > 1_000_000 && text.length <= 1024 * 1024, String(text.length));
  assert.match(text, /^line .*line 00100000\n$/s);
  const coming = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Download' }).click();
  const download = await coming;
  const bytes = readFileSync(await download.path());

  assert.equal(download.suggestedFilename(), `node-1-${id}-stdout.txt`);
  assert.equal(bytes.length, 14 * LINES);
  assert.match(bytes.toString(), /^line 00000001\n/);
  await page.locator('.execution-detail > .hint', { hasText: 'stderr: nothing printed' }).waitFor();
});

test('whoever asked cancels it from its page, with a reason, and the page shows how it ended', async (t, browser) => {
  const site = await startNode(t, { talk: TALK('/never') });
  const id = await ask(site, { action: 'talk', stream: true });
  const page = await browser.open();
  await openAt(page, site, `/invocations/${id}`);
  await page.getByText('ready').waitFor();

  await page.getByRole('button', { name: 'Cancel …' }).click();
  const dialog = page.getByRole('dialog', { name: 'Cancel talk?' });
  await dialog.getByLabel('Reason, for the audit trail').fill('it hangs');
  await dialog.getByRole('button', { name: 'Cancel it' }).click();

  await dialog.waitFor({ state: 'detached' });
  await page.locator('h1 + .status', { hasText: 'cancelled' }).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Cancel …' }).count(), 0);
  await page.locator('.timeline').getByText('asked to end').waitFor();
});

test('who may not cancel an ask is not offered to', async (t, browser) => {
  const site = await startDashboardSite(t);
  await site.startAgent('pump-1');
  const id = await invoke(site.core.core.services.invocations, { nodes: ['pump-1'] });
  for (const role of ['viewer', 'operator'] as const) {
    const page = await browser.open();
    await signIn(page, await site.as(role), `/invocations/${id}`);

    await page.getByRole('heading', { name: 'ping', exact: true }).waitFor();
    await page.getByText('asked by owner').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Cancel …' }).count(), 0, role);
  }
  const owner = await browser.open();
  await signIn(owner, site, `/invocations/${id}`);
  await owner.getByRole('button', { name: 'Cancel …' }).waitFor();
});

test('the filters of the list stand in the address, and are the same after the page is loaded again', async (t, browser) => {
  const site = await startDashboardSite(t);
  const agent = await site.startAgent('pump-1', { runs: true });
  await site.startAgent('pump-2');
  await invoke(site.core.core.services.invocations, { nodes: ['pump-1'] });
  await invoke(site.core.core.services.invocations, { nodes: ['pump-2'] });
  await until(() => agent.receipted().length > 0, { what: 'the end of the first one' });
  const page = await browser.open();
  await signIn(page, site, '/invocations');
  const rows = page.getByRole('region', { name: 'Invocations' }).getByRole('article');
  const targets = (): Promise<string[]> => rows.locator('.target').allInnerTexts();
  const untilTargets = (expected: string[]): Promise<unknown> =>
    until(async () => (await targets()).join() === expected.join(), { what: `the rows ${expected}` });

  await untilTargets(['node pump-2', 'node pump-1']);
  await page.getByRole('button', { name: 'completed' }).click();
  await untilTargets(['node pump-1']);
  await page.getByRole('button', { name: 'approved' }).click();
  await untilTargets(['node pump-2', 'node pump-1']);
  await page.getByLabel('Node').fill('pump-2');
  await page.getByLabel('Node').press('Enter');
  await untilTargets(['node pump-2']);
  await page.getByLabel('Since').selectOption('today');
  assert.equal(new URL(page.url()).hash, '#/invocations?status=approved%2Ccompleted&node=pump-2&since=today');

  await page.reload();

  await untilTargets(['node pump-2']);
  assert.deepEqual(await page.locator('button[aria-pressed=true]').allInnerTexts(), ['approved', 'completed']);
  assert.deepEqual(
    [await page.getByLabel('Node').inputValue(), await page.getByLabel('Since').inputValue()],
    ['pump-2', 'today'],
  );
  assert.equal(await rows.locator('.counts').innerText(), '0 of 1 done');
});
