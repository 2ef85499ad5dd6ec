import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { invoke } from '../support/asks.js';
import type { TestScope } from '../support/broker.js';
import { browserTests, showsText, signIn } from '../support/browser.js';
import { startDashboardSite } from '../support/dashboard-site.js';
import { until } from '../support/until.js';

const NODE = 'pump-1';
const test = browserTests();

/** A controller on whose node `ping` has run. */
async function startUsed(t: TestScope) {
  const site = await startDashboardSite(t);
  await site.startAgent(NODE, { runs: true });
  const { invocations } = site.core.core.services;
  const id = await invoke(invocations, { nodes: [NODE] });
  await until(async () => (await invocations.get('default', id))?.status === 'completed', { what: 'it has run' });
  return { site, id };
}

/** The rows that are shown, each as its texts. */
function rowsOf(page: Page): Promise<string[]> {
  return page.getByRole('region', { name: 'Audit' }).getByRole('article').allInnerTexts();
}

test('the trail is shown newest first, and leads to nodes and invocations', async (t, browser) => {
  const { site, id } = await startUsed(t);
  const page = await browser.open();
  await signIn(page, site, '/audit');
  await showsText(page, 'execution_ended');

  const rows = await rowsOf(page);

  const order = ['execution_ended', 'node_enrolled', 'enrollment_token_created'];
  const places = order.map((event) => rows.findIndex((row) => row.includes(event)));
  assert.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
  );
  assert.ok(!places.includes(-1));
  assert.match(rows.find((row) => row.includes('action=ping')) ?? '', /owner\s+.*action=ping/s);
  await page
    .getByRole('link', { name: `node:${NODE}`, exact: true })
    .first()
    .click();
  await page.waitForURL(`${site.url}/#/nodes/${NODE}`);
  await page.goBack();
  await page
    .getByRole('link', { name: `invocation:${id}` })
    .first()
    .click();
  await page.waitForURL(`${site.url}/#/invocations/${id}`);
});

test('a row opens with all that it says', async (t, browser) => {
  const { site } = await startUsed(t);
  const page = await browser.open();
  await signIn(page, site, '/audit?event=node_enrolled');

  await page.getByRole('button', { name: 'node_enrolled' }).click();

  const dialog = page.getByRole('dialog', { name: 'node_enrolled' });
  const { items } = await site.core.core.services.audit.list('default', { limit: 1, event: 'node_enrolled' });
  const [row] = items;
  assert.ok(row);
  for (const text of [String(row.seq), row.at, row.actor, row.subject, row.hash]) {
    await dialog.getByText(text, { exact: true }).first().waitFor();
  }
});

test('filters stand in the address, and narrow the rows to the letter', async (t, browser) => {
  const { site } = await startUsed(t);
  const page = await browser.open();
  await signIn(page, site, '/audit');
  await showsText(page, 'execution_ended');
  await page.getByLabel('Event').fill('node_enrolled');
  await page.getByLabel('Subject').fill(`node:${NODE}`);
  await page.getByLabel('Since').fill('2020-02-03T04:05:06');

  await page.getByRole('button', { name: 'Filter' }).click();

  await until(async () => (await rowsOf(page)).length === 1, { what: 'one row' });
  assert.match(page.url(), /event=node_enrolled&subject=node%3Apump-1&since=2020-02-03T04%3A05%3A06.000Z$/);
  await page.reload();
  await showsText(page, 'node_enrolled');
  assert.equal((await rowsOf(page)).length, 1);
  assert.equal(await page.getByLabel('Since').inputValue(), '2020-02-03T04:05:06');

  await page.getByLabel('Event').fill('no_such_event');
  await page.getByLabel('Event').press('Enter');
  await showsText(page, 'Nothing of that kind was done. Take a filter away.');
  await page.getByRole('button', { name: 'All rows' }).click();
  await showsText(page, 'execution_ended');
  assert.match(page.url(), /#\/audit$/);
});

test('Verify says in words that everything holds, and what does not', async (t, browser) => {
  const { site } = await startUsed(t);
  const page = await browser.open();
  await signIn(page, site, '/audit');
  const verify = page.getByRole('button', { name: 'Verify' });

  await verify.click();
  await showsText(page, 'Everything holds.');
  const { store } = site.core;
  await store.write(async (tx) => {
    await tx.updateTable('audit').set({ actor: 'somebody' }).where('event', '=', 'node_enrolled').execute();
  });
  await verify.click();

  await showsText(page, /things? do(es)? not hold\./);
  await page.getByRole('listitem').filter({ hasText: 'audit chain' }).first().waitFor();
  assert.equal(await page.getByText('Everything holds.').count(), 0);
});

test('who may not read the trail is not led to it, and told so at its address', async (t, browser) => {
  const { site } = await startUsed(t);
  const page = await browser.open();
  await signIn(page, await site.as('operator'), '/audit');

  await showsText(page, 'This page needs the role admin');

  const pages = page.getByRole('navigation', { name: 'Pages' }).getByRole('link');
  assert.deepEqual(await pages.allInnerTexts(), ['Nodes', 'Invocations', 'Approvals']);
});
