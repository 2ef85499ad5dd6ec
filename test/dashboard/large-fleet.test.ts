import assert from 'node:assert/strict';
import { z } from 'zod';
import { browserTests, showsText, signIn } from '../support/browser.js';
import type { TestCore } from '../support/core.js';
import { startDashboardSite } from '../support/dashboard-site.js';
import { enrollNode } from '../support/scripted-agent.js';
import { until } from '../support/until.js';

const NODES = 10_000;
const AT_ONCE = 500;
/** What is seen of the list, and a few rows before and after it. */
const MAX_ROWS = 50;

const test = browserTests();

/** Nodes as if so many had been enrolled before the controller was started: from node-00000 on. */
async function addNodes(core: TestCore): Promise<void> {
  await enrollNode(core.core.services, 'like');
  await core.store.write(async (tx) => {
    const { node: _, kid: __, ...like } = await tx.selectFrom('nodes').selectAll().executeTakeFirstOrThrow();
    const names = Array.from({ length: NODES }, (_, index) => `node-${String(index).padStart(5, '0')}`);
    const rows = names.map((node) => ({ ...like, node, kid: `kid-${node}` }));
    for (let from = 0; from < NODES; from += AT_ONCE)
      await tx
        .insertInto('nodes')
        .values(rows.slice(from, from + AT_ONCE))
        .execute();
  });
  await core.stop();
  await core.start();
}

test('of ten thousand nodes some tens are in the document, scrolling reaches the last, and a search finds any', async (t, browser) => {
  const site = await startDashboardSite(t, { prepare: addNodes });
  const page = await browser.open();
  const rows = page.getByRole('region', { name: 'Nodes' }).getByRole('listitem');
  await signIn(page, site);

  await showsText(page, `${NODES + 1} in all, 0 online, ${NODES + 1} away`);
  await page.getByRole('article', { name: 'node-00000' }).waitFor();
  await page.getByRole('region', { name: 'Nodes' }).focus();
  let [most, last] = [0, 0];
  while (last < NODES + 1) {
    await page.keyboard.press('End');
    last = await until(
      async () => {
        most = Math.max(most, await rows.count());
        const position = Number(await rows.last().getAttribute('aria-posinset'));
        return position > last && position;
      },
      { what: `a row after the ${last}th` },
    );
  }
  assert.ok(most > 10 && most < MAX_ROWS, `${most} rows`);
  assert.equal(await page.getByRole('article', { name: 'node-09999' }).isVisible(), true);
  assert.equal(await rows.last().getAttribute('aria-setsize'), String(NODES + 1));
  await page.keyboard.press('Home');
  await page.getByRole('article', { name: 'node-00000' }).waitFor();

  await page.getByLabel('Search').fill('E-0423');
  await until(async () => (await rows.count()) === 10, { what: 'the ten that are found' });
  await page.getByLabel('Search').fill('E-04237');
  await until(async () => (await rows.count()) === 1, { what: 'the one that is found' });
  assert.equal(z.string().parse(await page.evaluate('location.hash')), '#/nodes?q=E-04237');
  await page.reload();
  await page.getByRole('article', { name: 'node-04237' }).waitFor();
});
