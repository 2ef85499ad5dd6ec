import assert from 'node:assert/strict';
import { browserTests, showsText, signIn } from '../support/browser.js';
import { OWNER } from '../support/core.js';
import { startDashboardSite } from '../support/dashboard-site.js';
import { until } from '../support/until.js';

const NODE = 'pump-1';
const test = browserTests();

test('an admin changes the labels of a node, and what somebody else has changed meanwhile stays', async (t, browser) => {
  const site = await startDashboardSite(t);
  await site.startAgent(NODE);
  const { nodes } = site.core.core.services;
  await nodes.change(OWNER, NODE, { labels: { site: 'north, hall 2' }, groups: ['pumps'] });
  const page = await browser.open();
  await signIn(page, await site.as('admin'), `/nodes/${NODE}`);
  await page.getByRole('button', { name: 'Labels and groups …' }).click();
  const dialog = page.getByRole('dialog', { name: `Labels and groups of ${NODE}` });
  assert.equal(await dialog.getByLabel('Labels').inputValue(), 'site=north, hall 2');

  await nodes.change(OWNER, NODE, { groups: ['pumps', 'south'] });
  await dialog.getByLabel('Labels').fill('site=north, hall 2\nkind');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByText('kind is not of the form key=value').first().waitFor();
  await dialog.getByLabel('Labels').fill('site=north, hall 2\nkind=pump');
  await dialog.getByRole('button', { name: 'Save' }).click();

  await dialog.waitFor({ state: 'detached' });
  const changed = await nodes.get('default', NODE);
  assert.deepEqual(changed?.labels, { site: 'north, hall 2', kind: 'pump' });
  assert.deepEqual(changed?.groups, ['pumps', 'south']);
  await showsText(page, 'kind=pump');
});

test('a node is removed once its name was typed, and not by who is no admin', async (t, browser) => {
  const site = await startDashboardSite(t);
  await site.startAgent(NODE);
  const { nodes } = site.core.core.services;
  const operator = await browser.open();
  await signIn(operator, await site.as('operator'), `/nodes/${NODE}`);
  await operator.getByRole('button', { name: 'Run an action …' }).waitFor();
  assert.equal(await operator.getByRole('button', { name: 'Remove …' }).count(), 0);
  const page = await browser.open();
  await signIn(page, site, `/nodes/${NODE}`);
  await page.getByRole('button', { name: 'Remove …' }).click();
  const dialog = page.getByRole('dialog', { name: `Remove ${NODE}` });
  const remove = dialog.getByRole('button', { name: 'Remove it' });

  await dialog.getByLabel('Its name, to be sure').fill('pump-2');
  assert.equal(await remove.isDisabled(), true);
  browser.expectFaults(/404|422/); // pages of a node that is gone may be read once more
  await dialog.getByLabel('Its name, to be sure').fill(NODE);
  await remove.click();

  await page.waitForURL(/#\/nodes$/);
  await until(async () => (await nodes.get('default', NODE)) === undefined, { what: 'the node is gone' });
});
