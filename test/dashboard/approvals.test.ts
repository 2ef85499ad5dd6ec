import assert from 'node:assert/strict';
import type { Locator, Page } from 'playwright-core';
import { InvocationAnswer, type InvocationView } from '../../controller/http/schemas.js';
import type { TestScope } from '../support/broker.js';
import { browserTests, showsText, signIn } from '../support/browser.js';
import { type DashboardSite, startDashboardSite } from '../support/dashboard-site.js';
import { setPolicy } from '../support/policies.js';
import { makeSandbox } from '../support/sandboxes.js';
import { PING } from '../support/scripted-agent.js';
import { createTestClock } from '../support/test-clock.js';
import { until } from '../support/until.js';

const NODE = 'pump-1';
const FLUSH = {
  name: 'flush',
  description: 'flushes the pipes',
  parameters: [{ name: 'mode', type: 'string', required: false, description: '' }],
} as const;
const KEY = { name: 'token', type: 'string', required: true, description: '' } as const;
const ACTIONS = [
  PING,
  { ...FLUSH, parameters: [...FLUSH.parameters] },
  { ...PING, name: 'drain' },
  { ...PING, name: 'unlock', parameters: [KEY] },
];
const HOOK = {
  ...{ name: 'deploy.sh', description: 'puts a release in place\u202e', parameters: [], source: 'local' },
  ...{ checksum: '5'.repeat(64), sandbox: 'bubblewrap', network: false, writable: ['/srv/release'] },
};
/** The shipped time to approve. */
const TIME_MS = 300_000;
/** What the controller refuses, every browser writes into its console. */
const REFUSED = /status of (403|409|410) /;

const test = browserTests();

/** A page, a node that runs what it is asked, and the program `triage` that asks; `ask` gives what then waits. */
async function startWaiting(t: TestScope, options: Parameters<typeof startDashboardSite>[1] = {}) {
  const site = await startDashboardSite(t, options);
  const agent = await site.startAgent(NODE, { actions: ACTIONS, hooks: [HOOK], runs: true });
  const { token } = await makeSandbox(site.core, 'triage');
  const ask = (body: object = {}) => askOf(site, token, { reason: 'the filter is full', ...body });
  return { site, agent, ask };
}

async function askOf({ url }: DashboardSite, token: string, body: object): Promise<InvocationView> {
  const answer = await fetch(`${url}/api/v1/invocations`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', prefer: 'wait=0' },
    body: JSON.stringify({ action: 'flush', target: { nodes: [NODE] }, parameters: { mode: 'slow' }, ...body }),
  });
  return InvocationAnswer.parse(await answer.json()).invocation;
}

async function becomes({ core }: DashboardSite, { id }: InvocationView, status: InvocationView['status']) {
  const { invocations } = core.core.services;
  await until(async () => (await invocations.get('default', id))?.status === status, { what: status });
}

const bannerOf = (page: Page): Locator => page.getByRole('region', { name: 'Waits for an approval' });
const cardOf = (page: Page, action: string): Locator =>
  page.getByRole('article', { name: new RegExp(`^${action} on`) });
const button = (of: Locator, name: string): Locator => of.getByRole('button', { name, exact: true });

test('A-9: on every page a banner says what waits, and offers Approve and Deny with five minutes counting down', async (t, browser) => {
  const { site, agent, ask } = await startWaiting(t);
  const page = await browser.open();
  await ask();

  for (const path of ['/nodes', '/invocations', `/nodes/${NODE}`, '/audit']) {
    await (path === '/nodes' ? signIn(page, site, path) : page.goto(`${site.url}/#${path}`));
    await bannerOf(page).getByText('the program triage (a sandbox)').waitFor();
    const text = await bannerOf(page).innerText();
    assert.match(text, /flush on node pump-1\s+changes something\s+(5:00|4:[0-5]\d)/);
    assert.match(text, /asked for by the program triage \(a sandbox\): the filter is full\s+mode=slow/);
    assert.equal(await button(bannerOf(page), 'Deny').count(), 1);
  }
  const timer = bannerOf(page).getByRole('timer');
  const before = await timer.innerText();
  await until(async () => (await timer.innerText()) < before, { what: 'it counts down' });
  assert.equal(await timer.getAttribute('aria-live'), 'off');
  assert.equal(agent.offers.length, 0);

  await button(bannerOf(page), 'Approve').click();

  await showsText(page, 'Approved flush');
  assert.equal((await agent.nextOffer()).request.action, 'flush');
  await bannerOf(page).waitFor({ state: 'detached' });
});

test('A-9: what the banner denies runs nowhere, and the next ask takes its place', async (t, browser) => {
  const { site, agent, ask } = await startWaiting(t);
  const page = await browser.open();
  const first = await ask();
  const second = await ask({ action: 'drain', parameters: {} });
  await signIn(page, site);
  await bannerOf(page).getByText('and 1 more').waitFor();

  await button(bannerOf(page), 'Deny').click();

  await bannerOf(page).getByText('drain').waitFor();
  await becomes(site, first, 'denied');
  await becomes(site, second, 'pending');
  assert.equal(agent.offers.length, 0);
});

test('the countdown is by the clock of the controller, however wrong that of the browser is', async (t, browser) => {
  const { site, ask } = await startWaiting(t);
  const page = await browser.open();
  await page.clock.install({ time: Date.now() - 3_600_000 });
  await ask();

  await signIn(page, site);

  assert.match(await bannerOf(page).getByRole('timer').innerText(), /^(5:0[0-2]|4:[0-5]\d)$/);
});

test('at the end of its time an ask says expired and takes no answer, and then what became of it', async (t, browser) => {
  const clock = createTestClock();
  clock.advance(3_000 - TIME_MS); // by the clock of its HTTP server the time is over when this one has minutes left
  const { site, ask } = await startWaiting(t, { clock });
  const page = await browser.open();
  const asked = await ask();
  await signIn(page, site, '/approvals');
  const card = cardOf(page, 'flush');

  await card.getByRole('timer').getByText('expired').waitFor();

  assert.equal(await button(card, 'Approve').isDisabled(), true);
  assert.equal(await button(card, 'Deny').isDisabled(), true);
  await page.goto(`${site.url}/#/nodes`);
  assert.equal(await bannerOf(page).getByRole('timer').innerText(), 'expired');
  assert.equal(await button(bannerOf(page), 'Approve').isDisabled(), true);

  await page.goto(`${site.url}/#/approvals`);
  await card.waitFor();
  clock.advance(TIME_MS);

  await card.getByText('It waits no more: expired (Nobody approved it in time)').waitFor();
  await becomes(site, asked, 'expired');
  assert.equal(await card.getByRole('button').count(), 0);
  await page.getByRole('button', { name: 'Put away what waits no more' }).click();
  await showsText(page, 'Nothing waits for an approval.');
});

test('who may not approve sees what waits, and no button', async (t, browser) => {
  const { site, ask } = await startWaiting(t);
  await ask();

  for (const role of ['viewer', 'operator'] as const) {
    const page = await browser.open();
    await signIn(page, await site.as(role));
    await bannerOf(page).getByText('waits for an admin or an owner').waitFor();
    assert.equal(await bannerOf(page).getByRole('button').count(), 0);

    await page.goto(`${site.url}/#/approvals`);
    await cardOf(page, 'flush').getByText('It waits for an admin or an owner.').waitFor();
    assert.equal(await page.locator('main').getByRole('button').count(), 0);
  }
});

test('a new ask is read out once, and takes the focus from nobody', async (t, browser) => {
  const { site, ask } = await startWaiting(t);
  const page = await browser.open();
  await signIn(page, site);
  const search = page.getByLabel('Search');
  await search.fill('pum');
  await page
    .getByRole('status')
    .filter({ hasText: /^live$/ })
    .waitFor();
  await page.evaluate(GATHER_NEWS);

  await ask();
  await bannerOf(page).waitFor();
  const timer = bannerOf(page).getByRole('timer');
  const before = await timer.innerText();
  await until(async () => (await timer.innerText()) < before, { what: 'seconds pass' });

  await ask({ action: 'drain', parameters: {} });
  await bannerOf(page).getByText('and 1 more').waitFor();

  assert.deepEqual(await page.evaluate('news'), [
    'Waits for an approval: flush on node pump-1, asked for by a program.',
    'Waits for an approval: drain on node pump-1, asked for by a program.',
  ]);
  assert.equal(await timer.evaluate((element) => element.closest('[role=status], [aria-live=polite]')), null);
  assert.equal(await page.locator('input[type=search]:focus').count(), 1);
  assert.equal(await search.inputValue(), 'pum');
});

/** For the page: gathers what its live region says from now on. */
const GATHER_NEWS = `
  const news = (window.news = []);
  const region = document.querySelector('.heard-only');
  const note = () => region.textContent && news.push(region.textContent);
  new MutationObserver(note).observe(region, { childList: true, subtree: true, characterData: true });`;

test('a click that was meant for the ask before does not answer the next one', async (t, browser) => {
  const { site, ask } = await startWaiting(t);
  const page = await browser.open();
  await page.clock.install();
  await ask();
  await signIn(page, site);
  await bannerOf(page).waitFor();
  await page.clock.runFor(1_000);
  assert.equal(await button(bannerOf(page), 'Approve').isDisabled(), false);
  await page.clock.pauseAt(Date.now() + 60_000);
  await ask({ action: 'drain', parameters: {} });

  await button(bannerOf(page), 'Deny').click();
  await until(
    async () => {
      await page.clock.runFor(20);
      return (await bannerOf(page).innerText()).includes('drain');
    },
    { what: 'the next one' },
  );

  assert.equal(await button(bannerOf(page), 'Approve').isDisabled(), true);
  await page.clock.runFor(1_000);
  assert.equal(await button(bannerOf(page), 'Approve').isDisabled(), false);
});

test('what is of risk danger, or too long to be shown whole, is not approved from the banner', async (t, browser) => {
  const { site, agent, ask } = await startWaiting(t);
  await setPolicy(site.core, {
    risks: [{ actions: ['drain'], risk: 'danger' }],
    access: [{ risks: ['danger'], approve: { role: 'admin' }, distinct_approver: false }],
  });
  const page = await browser.open();
  const long = await ask({ parameters: { mode: 'slow  fast '.repeat(30) } });
  const drain = await ask({ action: 'drain', parameters: {} });
  await signIn(page, site);
  await bannerOf(page).getByRole('link', { name: 'Look at it to approve it' }).click();
  assert.match(await cardOf(page, 'flush').innerText(), /mode = (slow {2}fast ){30}/);
  await button(cardOf(page, 'flush'), 'Approve').click();
  await becomes(site, long, 'completed');

  await page.goto(`${site.url}/#/nodes`);
  await bannerOf(page).getByText('danger: may not be undone').waitFor();
  assert.deepEqual(await bannerOf(page).getByRole('button').allInnerTexts(), ['Deny']);
  await bannerOf(page).getByRole('link', { name: 'drain' }).click();

  const card = cardOf(page, 'drain');
  assert.equal(await button(card, 'Approve').isDisabled(), true);
  await card.getByLabel('Type drain to approve it').fill('drain');
  await button(card, 'Approve').click();
  await becomes(site, drain, 'completed');
  assert.deepEqual(
    agent.offers.map(({ request }) => request.action),
    ['flush', 'drain'],
  );
});

test('what the banner does not show whole, a secret or the names of all nodes, is not approved there', async (t, browser) => {
  const { site, ask } = await startWaiting(t);
  const nodes = [NODE, 'pump-2', 'pump-3', 'pump-4'];
  for (const node of nodes.slice(1)) await site.startAgent(node, { actions: ACTIONS, runs: true });
  const page = await browser.open();
  await ask({ target: { nodes } });
  await ask({ action: 'unlock', parameters: { token: 'open sesame' } });
  await signIn(page, site);

  await bannerOf(page).getByText('4 nodes: pump-1, pump-2, pump-3 and 1 more').waitFor();
  assert.deepEqual(await bannerOf(page).getByRole('button').allInnerTexts(), ['Deny']);
  await button(bannerOf(page), 'Deny').click();

  await bannerOf(page).getByText('token=[redacted]').waitFor();
  assert.deepEqual(await bannerOf(page).getByRole('button').allInnerTexts(), ['Deny']);
  await bannerOf(page).getByRole('link', { name: 'Look at it to approve it' }).click();
  await cardOf(page, 'unlock').getByRole('link', { name: 'look at it' }).click();
  await showsText(page, 'open sesame');
});

test('a card has everything to decide by, and hostile text stays text', async (t, browser) => {
  const { site, ask } = await startWaiting(t);
  for (let number = 2; number <= 22; number += 1) {
    await site.startAgent(`pump-${number}`, { actions: ACTIONS, groups: ['pumps'], runs: true });
  }
  const hostile = '<img src=x onerror=alert(1)>\u202e';
  const asked = await ask({ target: { group: 'pumps' }, parameters: { mode: hostile }, reason: hostile });
  const page = await browser.open();
  await signIn(page, site, '/approvals');
  const card = cardOf(page, 'flush');
  await card.getByRole('link', { name: 'pump-8' }).waitFor();

  const text = await card.innerText();

  assert.match(text, /flush on group pumps \(21 nodes\)/);
  assert.match(text, /Asked for by\s+the program triage \(a sandbox\)/);
  assert.ok(text.includes('mode = <img src=x onerror=alert(1)>\\u202e'));
  assert.match(text, /flush: flushes the pipes/);
  assert.match(text, /21 nodes: pump-10, (pump-\d+, ){18}pump-\d+ and 1 more/);
  assert.ok(text.includes(asked.digest.slice(0, 12)));
  assert.equal(await card.locator('img').count(), 0);
  await card.getByRole('link', { name: 'flush' }).click();
  await page.waitForURL(`${site.url}/#/invocations/${asked.id}`);
});

test('the card of a hook says what its sandbox lets it reach', async (t, browser) => {
  const { site, ask } = await startWaiting(t);
  await ask({ action: 'deploy.sh', parameters: {} });
  const page = await browser.open();

  await signIn(page, site, '/approvals');

  const card = cardOf(page, 'deploy.sh');
  await card.getByText('deploy.sh: puts a release in place\\u202e').waitFor();
  await card
    .getByText('a hook, confined by bubblewrap, without the network of the node, writes /srv/release')
    .waitFor();
});

test('of two who decide at once one is heard, and the other is told', async (t, browser) => {
  browser.expectFaults(REFUSED);
  const { site, agent, ask } = await startWaiting(t);
  const [one, other] = [await browser.open(), await browser.open()];
  await signIn(one, site, '/approvals');
  await signIn(other, await site.as('admin'), '/approvals');
  const asked = await ask();

  await Promise.all([one, other].map((page) => button(cardOf(page, 'flush'), 'Approve').waitFor()));
  await Promise.all([button(cardOf(one, 'flush'), 'Approve').click(), button(cardOf(other, 'flush'), 'Deny').click()]);

  await Promise.all(
    [one, other].map((page) => showsText(page, /It waits no more: (completed approved by owner|denied)/)),
  );
  const words = [await toastsOf(one), await toastsOf(other)];
  const { status } = (await site.core.core.services.invocations.get('default', asked.id)) ?? {};
  const wasApproved = status === 'completed';
  assert.match(words[wasApproved ? 0 : 1] ?? '', wasApproved ? /^Approved flush$/ : /^Denied flush$/);
  assert.match(words[wasApproved ? 1 : 0] ?? '', /^Error: It does not wait any more: it is /);
  assert.equal(agent.offers.length, wasApproved ? 1 : 0);
});

function toastsOf(page: Page): Promise<string> {
  return page.locator('.toasts').innerText();
}

test('a grant that is made with an approval approves the next ones, until it is taken back', async (t, browser) => {
  const { site, ask } = await startWaiting(t);
  const page = await browser.open();
  const first = await ask();
  await signIn(page, site, '/approvals');
  await showsText(page, 'Nothing is approved beforehand.');
  const card = cardOf(page, 'flush');
  await card.getByText('Approve the next ones too').click();
  await card.getByLabel('How many').fill('5');
  await card.getByLabel('For how long').selectOption('1 hour');

  await button(card, 'Approve with this grant').click();

  await becomes(site, first, 'completed');
  const grants = page.getByRole('region', { name: 'Grants' });
  await grants.getByRole('cell', { name: '0 of 5' }).waitFor();
  await grants.getByRole('cell', { name: 'the program triage (a sandbox)' }).waitFor();
  await becomes(site, await ask(), 'completed');
  await grants.getByRole('cell', { name: '1 of 5' }).waitFor();

  await button(grants, 'Revoke').click();

  await showsText(page, 'Nothing is approved beforehand.');
  await becomes(site, await ask(), 'pending');
});

test('what the controller refuses stays, with its words: a grant for what is protected, and an ask of one’s own', async (t, browser) => {
  browser.expectFaults(REFUSED);
  const { site } = await startWaiting(t);
  await site.startAgent('vault-1', { actions: ACTIONS, labels: { tier: 'critical' }, runs: true });
  await setPolicy(site.core, {
    protected: [{ labels: { tier: 'critical' }, role: 'operator' }],
    access: [{ actions: ['drain'], distinct_approver: true }],
  });
  const admin = await site.as('admin');
  const operator = await site.as('operator');
  const vault = await askOf(site, operator.token, { target: { nodes: ['vault-1'] }, reason: 'it leaks' });
  const own = await askOf(site, admin.token, { action: 'drain', parameters: {}, confirm: true });
  const page = await browser.open();
  await signIn(page, admin, '/approvals');

  const card = cardOf(page, 'flush');
  await card.getByText('Approve the next ones too').click();
  assert.deepEqual(await card.getByLabel('Asked for by').locator('option').allInnerTexts(), ['everybody of the org']);
  await button(card, 'Approve with this grant').click();
  await card.getByText('It touches a protected target, and is approved one at a time').waitFor();
  await becomes(site, vault, 'pending');

  await button(cardOf(page, 'drain'), 'Approve').click();
  await cardOf(page, 'drain').getByText('Somebody other than who asked has to approve this').waitFor();
  await becomes(site, own, 'pending');

  await cardOf(page, 'drain').getByLabel('Why it is denied').fill('not on a Friday');
  await button(cardOf(page, 'drain'), 'Deny').click();
  await cardOf(page, 'drain')
    .getByText(/It waits no more: denied.*not on a Friday/)
    .waitFor();
  await button(card, 'Approve').click();
  await becomes(site, vault, 'completed');
});
