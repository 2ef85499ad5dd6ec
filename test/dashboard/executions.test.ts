import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { InvocationAnswer } from '../../controller/http/schemas.js';
import { sha256Hex } from '../../protocol/envelope.js';
import { invoke } from '../support/asks.js';
import { browserTests, showsText, signIn } from '../support/browser.js';
import { startDashboardSite } from '../support/dashboard-site.js';
import { TOKEN } from '../support/integrations.js';
import { addManyResults } from '../support/many-results.js';
import { startStandIn } from '../support/stand-in.js';
import { until } from '../support/until.js';

const HOSTILE = '<img src=x onerror="window.harmed=1">';
const MANY = 2_000;
const test = browserTests();

/** How many of these requests the page has made. */
function countRequests(page: Page, like: RegExp): () => number {
  let count = 0;
  page.on('request', (request) => {
    if (like.test(request.url())) count += 1;
  });
  return () => count;
}

test('what thousands of nodes answered is put together, and one by one only what is seen is read and drawn', async (t, browser) => {
  const site = await startDashboardSite(t);
  const agent = await site.startAgent('a');
  const id = await invoke(site.core.core.services.invocations, { nodes: ['a'] });
  await agent.result(await agent.nextOffer(), { status: 'failed', exit_code: 7 });
  await addManyResults(site.core, id, MANY);
  const page = await browser.open();
  const pages = countRequests(page, /\/executions\?limit=200/);
  await signIn(page, site, `/invocations/${id}`);

  const like = page.getByRole('article', { name: '20 nodes, success' });
  await like.first().waitFor();
  assert.equal(await like.count(), 50);
  await showsText(page, 'There are more kinds of results than these: look at them one by one.');
  assert.equal(pages(), 0);

  await page.getByRole('button', { name: 'one by one' }).click();
  const rows = page.getByRole('region', { name: 'Executions' }).getByRole('article');
  await page.getByRole('article', { name: 'a, failed' }).getByText('exit code 7').waitFor();
  assert.ok((await rows.count()) < 60, String(await rows.count()));
  assert.ok(pages() <= 2, String(pages()));
  assert.match(page.url(), /\?view=list$/);

  await page.getByRole('button', { name: 'failed 1' }).click();
  await until(async () => (await rows.count()) === 1, { what: 'the one that failed alone' });
  await page.getByRole('button', { name: `all ${MANY + 1}` }).click();
  await page.getByRole('article', { name: 'node-00003, success' }).getByRole('link', { name: 'Output' }).click();
  await page.getByRole('region', { name: 'stdout of node-00003' }).getByText('output 3').waitFor();
  await page.goBack();
  await page.getByRole('article', { name: 'node-00003, success' }).waitFor();
});

test('a changed hook, hostile words of a node and what is not known yet are told in words', async (t, browser) => {
  const site = await startDashboardSite(t);
  const { invocations } = site.core.core.services;
  const agent = await site.startAgent('pump-1');
  await site.startAgent('pump-2');
  const id = await invoke(invocations, { nodes: ['pump-1', 'pump-2'] });
  const offered = await agent.nextOffer();
  await agent.ack(offered);
  const [expected, actual] = [sha256Hex('one'), sha256Hex('two')];
  await agent.result(offered, {
    ...{ status: 'error', exit_code: -1, error_code: 'integrity_check_failed', launched: 'no' },
    error: `${HOSTILE} \u202e`,
    violation: {
      type: 'hook',
      path: HOSTILE,
      expected,
      actual,
      detail: 'another file',
      timestamp: '2026-01-01T00:00:00Z',
    },
  });
  const page = await browser.open();
  await signIn(page, site, `/invocations/${id}`);

  const row = page.getByRole('article', { name: 'pump-1, error' });
  await row.getByText(`${HOSTILE} \\u202e; integrity check failed; it never began`).waitFor();
  await row.getByRole('link', { name: 'Output' }).click();
  await showsText(page, 'The node found another hook than was asked for: another file');
  for (const text of [HOSTILE, expected, actual]) await page.getByText(text, { exact: true }).waitFor();
  assert.deepEqual(await page.evaluate('[document.images.length, typeof window.harmed]'), [0, 'undefined']);

  await page.getByRole('link', { name: '← All executions' }).click();
  await invocations.cancel({ id: 'owner', org: 'default', role: 'owner' }, id, {});
  await page.getByRole('article', { name: 'pump-2' }).getByText('asked to end, and has not answered yet').waitFor();
  await page.getByRole('article', { name: 'pump-2' }).getByRole('link', { name: 'Output' }).click();
  await showsText(page, 'Nothing printed: the node has not begun.');
});

test('what an integration answered is shown as JSON, beside what it was asked', async (t, browser) => {
  const issues = [{ id: '1', title: `${HOSTILE} \u202e`, tags: { level: 'error' } }];
  const sentry = await startStandIn(t, () => ({ json: issues }));
  const site = await startDashboardSite(t);
  const post = async (path: string, body: object): Promise<unknown> => {
    const headers = { authorization: `Bearer ${site.token}`, 'content-type': 'application/json' };
    const answer = await fetch(`${site.url}/api/v1${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    assert.ok(answer.ok, await answer.clone().text());
    return answer.json();
  };
  const credential = { provider: 'stored', token: TOKEN };
  await post('/integrations', { adapter: 'sentry', base_url: sentry.url, credential });
  const parameters = { organization: 'acme', project: 'pump-ui' };
  const asked = await post('/invocations', { action: 'list_issues', target: { integration: 'sentry' }, parameters });
  const { invocation } = InvocationAnswer.parse(asked);
  const page = await browser.open();
  await signIn(page, site, `/invocations/${invocation.id}`);

  const shown = page.getByRole('region', { name: 'Result' }).locator('pre');
  assert.equal(await shown.innerText(), JSON.stringify(issues, undefined, 2).replace('\u202e', '\\u202e'));
  const facts = page.getByRole('region', { name: 'What was asked' });
  for (const text of ['the integration sentry', 'acme', 'pump-ui'])
    await facts.getByText(text, { exact: true }).waitFor();
  assert.equal(await page.evaluate('document.images.length'), 0);
});
