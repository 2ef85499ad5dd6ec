import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { z } from 'zod';
import { askFor, invoke } from '../support/asks.js';
import type { TestScope } from '../support/broker.js';
import { browserTests, signIn } from '../support/browser.js';
import { startDashboardSite } from '../support/dashboard-site.js';
import { until } from '../support/until.js';

const test = browserTests();
const AXE = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'];
const Violations = z.array(z.string());

/** What axe finds wrong with the page as it stands there, in both colour schemes. */
async function violationsOf(page: Page): Promise<readonly string[]> {
  await page.evaluate(`window.axe === undefined && (() => { ${AXE} })()`);
  const found: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const violations = await page.evaluate(`axe
      .run({ runOnly: { type: 'tag', values: ${JSON.stringify(RULES)} }, resultTypes: ['violations'] })
      .then(({ violations }) => violations.flatMap(({ id, nodes }) =>
        nodes.map(({ target, failureSummary }) => id + ' ' + target.join(' ') + ' ' + failureSummary)))`);
    found.push(...Violations.parse(violations).map((violation) => `${page.url()} ${colorScheme}: ${violation}`));
  }
  return found;
}

/** A fleet of which every page has something to show: nodes, an ask that is done, and one that waits. */
async function startBusySite(t: TestScope) {
  const site = await startDashboardSite(t);
  const actions = ['ping', 'message'].map((name) => ({ name, description: name, parameters: [] }));
  await site.startAgent('kiosk-1', { runs: true, actions, groups: ['kiosks'], labels: { place: 'roof' } });
  await site.startAgent('kiosk-2', { silent: true });
  const { invocations } = site.core.core.services;
  const done = await invoke(invocations, { nodes: ['kiosk-1'] });
  const ask = askFor({ nodes: ['kiosk-1'] }, { action: 'message', reason: 'lunch' });
  const operator = { id: 'the-operator', org: 'default', role: 'operator' } as const;
  await site.as('operator');
  const { invocation } = await invocations.create(operator, ask, { bodySha256: '0'.repeat(64) });
  await until(async () => (await invocations.get('default', done))?.status === 'completed', { what: 'the ping' });
  return { ...site, done, waiting: invocation.id };
}

test('no page breaks a rule of WCAG 2.1 A or AA that a program can check, light or dark', async (t, browser) => {
  const { done, waiting, ...site } = await startBusySite(t);
  const page = await browser.open();
  await page.goto(site.url);
  await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
  const found = [...(await violationsOf(page))];

  await signIn(page, site);
  for (const [path, text] of [
    ['/nodes', 'kiosk-2'],
    ['/nodes?q=nobody', 'No node is like that'],
    ['/nodes/kiosk-1', 'place'],
    ['/invocations', 'completed'],
    [`/invocations/${done}`, 'completed'],
    [`/invocations/${done}?node=kiosk-1`, 'stdout'],
    [`/invocations/${waiting}`, 'lunch'],
    ['/approvals', 'lunch'],
    ['/audit', 'invocation'],
    ['/nowhere', 'There is no such page'],
  ] as const) {
    await page.goto(`${site.url}/#${path}`);
    await page.getByRole('main').getByText(text).first().waitFor();
    found.push(...(await violationsOf(page)));
  }

  assert.deepEqual(found, []);
});

test('no dialog does either', async (t, browser) => {
  const site = await startBusySite(t);
  const page = await browser.open();
  await signIn(page, site);
  const found: string[] = [];

  await page.getByRole('article', { name: 'kiosk-1' }).getByRole('button', { name: '📨 Actions' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('Action Results:').waitFor();
  await dialog.getByLabel('Action type').selectOption('🔌 Reboot Machine');
  found.push(...(await violationsOf(page)));
  await dialog.getByRole('button', { name: 'Close' }).click();
  await page.getByRole('button', { name: 'Run an action …' }).click();
  await dialog.getByRole('heading').first().waitFor();
  found.push(...(await violationsOf(page)));

  assert.deepEqual(found, []);
});

/** Numbers what can be reached within the selector; gives how much that is. */
const NUMBER = (within: string) => `(() => {
  const all = [...document.querySelector('${within}').querySelectorAll('a[href], button, input, select, textarea, [tabindex="0"]')];
  const there = all.filter((each) => each.checkVisibility() && !each.disabled);
  for (const [index, each] of there.entries()) each.dataset.number = index;
  return there.length;
})()`;
const FOCUSED = 'document.activeElement.dataset.number ?? null';

/** What Tab comes by, one after another, until it has been everywhere that it goes. */
async function tabThrough(page: Page, within: string): Promise<Readonly<{ count: number; reached: Set<string> }>> {
  const count = z.int().parse(await page.evaluate(NUMBER(within)));
  const reached = new Set<string>();
  for (let presses = 0; presses < count + 3; presses += 1) {
    await page.keyboard.press('Tab');
    const number = z
      .string()
      .nullable()
      .parse(await page.evaluate(FOCUSED));
    if (number !== null) reached.add(number);
  }
  return { count, reached };
}

test('Tab reaches everything that can be used, in a dialog nothing else, and the focus comes back from it', async (t, browser) => {
  const page = await browser.open();
  await signIn(page, await startBusySite(t));
  await page.getByRole('article', { name: 'kiosk-2' }).waitFor();
  const wholePage = await tabThrough(page, 'body');
  assert.equal(wholePage.reached.size, wholePage.count);
  assert.ok(wholePage.count > 10);

  await page.getByRole('article', { name: 'kiosk-2' }).getByRole('button').focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.evaluate('for (const each of document.querySelectorAll("[data-number]")) delete each.dataset.number');
  const dialog = await tabThrough(page, 'dialog');
  assert.equal(dialog.reached.size, dialog.count);
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  const focused = 'document.activeElement.closest("article").getAttribute("aria-label")';
  assert.equal(await page.evaluate(focused), 'kiosk-2');
});
