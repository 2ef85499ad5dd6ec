import assert from 'node:assert/strict';
import type { Locator, Page } from 'playwright-core';
import type { TestScope } from '../support/broker.js';
import { browserTests, showsText, signIn } from '../support/browser.js';
import { startDashboardSite } from '../support/dashboard-site.js';

const NODE = 'pump-1';
const FLUSH = {
  ...{ name: 'flush', description: 'flushes the pipes\u202e' },
  parameters: [{ name: 'mode', type: 'string' as const, required: true, description: '' }],
};
const test = browserTests();

/** The dialog that asks the only node for `flush`, as it was filled in. */
async function fillIn(t: TestScope, page: Page) {
  const site = await startDashboardSite(t);
  const agent = await site.startAgent(NODE, { actions: [FLUSH] });
  await signIn(page, site, `/nodes/${NODE}`);
  await page.getByRole('button', { name: 'Run flush …' }).click();
  const dialog = page.getByRole('dialog', { name: 'Run an action' });
  await dialog.getByText('flushes the pipes\\u202e').waitFor();
  await dialog.getByLabel('mode').fill('slow');
  await dialog.getByLabel('Reason').fill('the filter is full');
  return { ...site, agent, dialog };
}

const button = (of: Page | Locator, name: string): Locator => of.getByRole('button', { name, exact: true });

test('what an ask comes to is shown before it is asked; going back keeps what was filled in', async (t, browser) => {
  const page = await browser.open();
  const { agent, core, dialog } = await fillIn(t, page);

  await button(dialog, 'See what it comes to').click();
  await dialog.getByText('of which 1 online. Risk: changes something.').waitFor();
  await dialog.getByText('It runs at once.').waitFor();
  assert.equal(await page.evaluate("document.activeElement.getAttribute('aria-label')"), 'What it comes to');
  await button(dialog, 'Back').click();
  assert.equal(await dialog.getByLabel('Reason').inputValue(), 'the filter is full');
  assert.deepEqual(await core.store.read.selectFrom('invocations').select('id').execute(), []);
  await dialog.getByLabel('mode').fill('fast');
  await button(dialog, 'See what it comes to').click();
  await button(dialog, 'Run it').click();

  const { request } = await agent.nextOffer();
  assert.deepEqual(request.parameters, { mode: 'fast' });
  await page.waitForURL(/#\/invocations\/[\w-]+$/);
  await showsText(page, 'the filter is full');
});

test('while the controller is away a page and what is filled in stay, and the fault is said', async (t, browser) => {
  const page = await browser.open();
  const { agent, dialog } = await fillIn(t, page);
  browser.expectFaults(/ERR_FAILED/);
  await page.route(/\/api\/v1\/(nodes|actions)/, (route) => route.abort());

  await agent.goOffline();

  const faults = page.getByRole('alert', { includeHidden: true }).getByText('The controller does not answer.');
  await faults.nth(1).waitFor(); // of the node, and of what it offers
  assert.equal(await dialog.getByLabel('Reason').inputValue(), 'the filter is full');
  await page.unrouteAll();
});

test('rows that cannot be read anew stay, with the fault and a way to try again', async (t, browser) => {
  const site = await startDashboardSite(t);
  const agent = await site.startAgent(NODE);
  const page = await browser.open();
  browser.expectFaults(/ERR_FAILED/);
  await signIn(page, site);
  const card = page.getByRole('article', { name: NODE });
  await card.getByText('online').waitFor();
  await page.route(/\/api\/v1\/nodes/, (route) => route.abort());

  await agent.goOffline();

  await showsText(page, 'The controller does not answer.');
  await card.getByText('online').waitFor();
  await page.unrouteAll();
  await button(page, 'Try again').click();
  await card.getByText('offline').waitFor();
  assert.equal(await page.getByRole('alert').count(), 0);
});

test('however long a word of a node is, its page and the dialog stay as wide as the window', async (t, browser) => {
  const site = await startDashboardSite(t);
  await site.startAgent(NODE, { actions: [{ ...FLUSH, description: 'x'.repeat(1024) }] });
  const page = await browser.open();
  await signIn(page, site, `/nodes/${NODE}`);
  const isWide = (what: string): Promise<unknown> =>
    page.evaluate(`(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)(document.querySelector('${what}'))`);

  await page.getByText('x'.repeat(1024)).waitFor();
  assert.equal(await isWide('html'), false);
  await page.getByRole('button', { name: 'Run flush …' }).click();
  await page.getByRole('dialog').getByText('x'.repeat(1024)).waitFor();
  assert.equal(await isWide('dialog'), false);
});
