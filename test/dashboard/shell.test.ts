import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Page } from 'playwright-core';
import { readConnection, writeConnection } from '../../cli/installation.js';
import { browserTests, type Site, showsText, signIn } from '../support/browser.js';
import { OWNER } from '../support/core.js';
import { PASSWORD, startDashboardSite } from '../support/dashboard-site.js';
import { freePort } from '../support/free-port.js';
import { createGate } from '../support/gate.js';
import { runMuster, spawnMuster } from '../support/muster.js';
import { startPrefixProxy } from '../support/prefix-proxy.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const test = browserTests();
/** What a browser writes into its console for each answer that says that the session is over. */
const SIGNED_OUT = /status of 401/;

async function signInByForm(page: Page, fields: Readonly<Record<string, string>>): Promise<void> {
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

async function showsSignIn(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
}

async function isSignedInAs(page: Page, user: string): Promise<void> {
  await page.locator('.user').getByText(user, { exact: true }).waitFor();
}

test('a name and a password sign in and lead to the page that was asked for; signing out ends the session', async (t, browser) => {
  const site = await startDashboardSite(t);
  await site.startAgent('kiosk-1');
  await site.as('operator');
  const page = await browser.open();
  await page.goto(`${site.url}/#/nodes/kiosk-1`);

  await signInByForm(page, { Name: 'the-operator', Password: PASSWORD });

  await isSignedInAs(page, 'the-operator');
  await page.getByRole('heading', { name: 'kiosk-1' }).waitFor();
  const [cookie] = await page.context().cookies();
  assert.deepEqual([cookie?.name, cookie?.httpOnly, cookie?.sameSite], ['muster-session', true, 'Strict']);

  await page.getByRole('button', { name: 'Sign out' }).click();
  await showsSignIn(page);
  assert.deepEqual(await page.context().cookies(), []);
  const answer = await fetch(`${site.url}/api/v1/me`, { headers: { cookie: `muster-session=${cookie?.value}` } });
  assert.equal(answer.status, 401);
  await page.reload();
  await showsSignIn(page);
});

test('what is wrong is said in the words of the controller, and an API token signs in as well', async (t, browser) => {
  const site = await startDashboardSite(t);
  const { token } = await site.as('viewer');
  const page = await browser.open();
  browser.expectFaults(SIGNED_OUT);
  await page.goto(site.url);

  await signInByForm(page, { Name: 'the-viewer', Password: 'correct horse batterz' });
  await page.getByRole('alert').getByText('The name or the password is wrong').waitFor();
  await page.getByRole('button', { name: 'Sign in with an API token' }).click();
  await signInByForm(page, { 'API token': token });

  await isSignedInAs(page, 'the-viewer');
});

test('a link of muster dashboard signs in once, in the place of nobody else, and stays in no history', async (t, browser) => {
  const site = await startDashboardSite(t);
  const linkOf = async ({ url, token }: Site): Promise<string> => {
    const data = temporaryDirectory(t);
    writeConnection(data, { url, token });
    const { stdout, stderr } = await runMuster(t, ['dashboard', '--no-open', '--data', data]);
    assert.equal(stderr, '');
    return stdout.trim();
  };
  const viewer = await site.as('viewer');
  const [first, again, second] = [await linkOf(site), await linkOf(site), await linkOf(viewer)];
  const page = await browser.open();
  browser.expectFaults(SIGNED_OUT, /status of 409 .*\/auth\/session$/);

  await page.goto(first);
  await isSignedInAs(page, 'owner');
  await page.waitForURL(/#\/nodes$/);
  await page.goto(again); // only the fragment changes, so that nothing is loaded
  await isSignedInAs(page, 'owner');
  await page.goto(second);
  await showsText(page, /This browser is signed in as owner, and the link is of the-viewer/);
  await page.getByRole('button', { name: 'Go on as owner' }).click();
  await isSignedInAs(page, 'owner');
  await page.goto(first);
  await showsText(page, /The link was used, or is older than two minutes/);
  await page.getByRole('button', { name: 'Go on as owner' }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await showsSignIn(page);
  await page.goto(await linkOf(viewer));
  await isSignedInAs(page, 'the-viewer');

  const other = await browser.open();
  await other.goto(second);
  await showsText(other, /The link was used, or is older than two minutes/);
  assert.doesNotMatch(other.url(), /code/);
  await other.goBack();
  assert.doesNotMatch(other.url(), /code/);
});

test('a session that is revoked elsewhere shows the sign-in, and nothing of what was seen', async (t, browser) => {
  const site = await startDashboardSite(t);
  await site.startAgent('kiosk-1');
  const page = await browser.open();
  browser.expectFaults(SIGNED_OUT);
  await signIn(page, site);
  await showsText(page, 'kiosk-1');
  const { tokens } = site.core.core.services;
  const { items } = await tokens.list(OWNER, { limit: 10 });

  for (const { id, name } of items) if (name === 'browser') await tokens.delete(OWNER, id);

  await showsSignIn(page);
  assert.equal(await page.getByText('kiosk-1').count(), 0);
});

test('signing out that does not reach the controller says that one is still signed in', async (t, browser) => {
  const site = await startDashboardSite(t);
  const page = await browser.open();
  browser.expectFaults(/ERR_FAILED/);
  await signIn(page, site);
  await isSignedInAs(page, 'owner');
  await page.route('**/api/v1/auth/session', (route) => route.abort());

  await page.getByRole('button', { name: 'Sign out' }).click();

  await showsText(page, 'You are still signed in: The controller does not answer');
  await page.unroute('**/api/v1/auth/session');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await showsSignIn(page);
  assert.deepEqual(await page.context().cookies(), []);
});

test('a session that ended while no events came shows the sign-in', async (t, browser) => {
  const site = await startDashboardSite(t);
  await site.startAgent('kiosk-1');
  const page = await browser.open();
  browser.expectFaults(SIGNED_OUT);
  const away = createGate();
  await page.route('**/api/v1/events', async (route) => {
    await away.passed;
    await route.continue();
  });
  await signIn(page, site);
  await showsText(page, 'kiosk-1');
  const { tokens } = site.core.core.services;
  const { items } = await tokens.list(OWNER, { limit: 10 });
  for (const { id, name } of items) if (name === 'browser') await tokens.delete(OWNER, id);

  away.open();

  await showsSignIn(page);
  assert.equal(await page.getByText('kiosk-1').count(), 0);
});

test('who signs in beside a page is who it is for from then on', async (t, browser) => {
  const site = await startDashboardSite(t);
  await site.startAgent('kiosk-1');
  const viewer = await site.as('viewer');
  const page = await browser.open();
  let looks = 0;
  page.on('response', (response) => {
    if (response.url().endsWith('/api/v1/me')) looks += 1;
  });
  await signIn(page, site);
  await page.getByRole('button', { name: '📨 Actions' }).waitFor();
  await until(() => looks > 1, { what: 'what is read anew when events begin to come' });
  await page.context().request.post(`${site.url}/api/v1/auth/session`, {
    data: { token: viewer.token },
    headers: { origin: new URL(site.url).origin },
  });

  await page.evaluate("dispatchEvent(new Event('visibilitychange'))"); // as when one comes back from another tab

  await isSignedInAs(page, 'the-viewer');
  await page.getByRole('article', { name: 'kiosk-1' }).waitFor();
  assert.equal(await page.getByRole('main').getByRole('button').count(), 0);
});

test('what is live is said, also while the controller is away, and it follows again once that is back', async (t, browser) => {
  const [data, port] = [temporaryDirectory(t), await freePort()];
  const start = async (): Promise<ChildProcess> => {
    const child = spawnMuster(t, ['controller', `--port=${port}`, '--broker-url=mqtt://127.0.0.1:1', '--data', data]);
    await once(child, 'message', { signal: AbortSignal.timeout(60_000) }); // it is ready
    return child;
  };
  const first = await start();
  const page = await browser.open();
  browser.expectFaults(/ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING)/);
  await signIn(page, readConnection(data));
  const mark = page.locator('.live');
  await mark.getByText('live', { exact: true }).waitFor();

  first.kill('SIGKILL');
  await mark.getByText('no connection, trying again').waitFor();
  await start();
  await mark.getByText('live', { exact: true }).waitFor();

  const { exitCode, stderr } = await runMuster(t, ['node-token', 'create', 'kiosk-1', '--data', data]);
  assert.equal(exitCode, 0, stderr);
  await page.getByRole('article', { name: 'kiosk-1' }).waitFor();
});

test('a page out of sight holds no connection, and shows what happened meanwhile when it is seen again', async (t, browser) => {
  const site = await startDashboardSite(t);
  const agent = await site.startAgent('kiosk-1');
  const page = await browser.open();
  await signIn(page, site);
  const card = page.getByRole('article', { name: 'kiosk-1' });
  await page.locator('.live').getByText('live', { exact: true }).waitFor();
  await card.getByText('online', { exact: true }).waitFor();

  const ended = page.waitForEvent('requestfailed', (request) => request.url().endsWith('/api/v1/events'));
  await page.evaluate(TURN('hidden'));
  await ended;
  await agent.goOffline();
  await page.evaluate(TURN('visible'));

  await card.getByText('offline', { exact: true }).waitFor();
});

/** For the page: what its browser would say when somebody goes to another tab, or comes back. */
const TURN = (state: 'hidden' | 'visible') => `
  Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => '${state}' });
  document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));`;

test('an address that is none says so, and the way back works', async (t, browser) => {
  const page = await browser.open();
  await signIn(page, await startDashboardSite(t), '/nothing/here?really');

  await page.getByRole('heading', { name: 'There is no such page' }).waitFor();
  await page.getByRole('link', { name: 'Muster' }).click();
  await page.getByRole('heading', { name: 'Nodes', exact: true }).waitFor();
  await page.goBack();
  await page.getByRole('heading', { name: 'There is no such page' }).waitFor();
});

test('below the prefix of a reverse proxy everything works, the events as well', async (t, browser) => {
  const site = await startDashboardSite(t);
  const agent = await site.startAgent('kiosk-1');
  const url = await startPrefixProxy(t, { prefix: '/fleet/north', target: site.url });
  const page = await browser.open();
  await page.goto(`${url}/`);

  await page.getByRole('button', { name: 'Sign in with an API token' }).click();
  await signInByForm(page, { 'API token': site.token });
  await page.locator('.live').getByText('live', { exact: true }).waitFor();
  await page.getByRole('article').getByText('online', { exact: true }).waitFor();
  await agent.goOffline();
  await page.getByRole('article').getByText('offline', { exact: true }).waitFor();

  assert.match(page.url(), /\/fleet\/north\/#\/nodes$/);
});

test('each role is offered what it may do, and the rest is not there', async (t, browser) => {
  const site = await startDashboardSite(t);
  await site.startAgent('kiosk-1');
  const offered = async (as: Site) => {
    const page = await browser.open();
    await signIn(page, as);
    await page.getByRole('article', { name: 'kiosk-1' }).waitFor();
    const pages = await page.getByRole('navigation').getByRole('link').allInnerTexts();
    const buttons = await page.getByRole('main').getByRole('button').allInnerTexts();
    await page.goto(`${site.url}/#/audit`);
    return { pages, buttons, audit: await page.getByRole('heading').first().innerText() };
  };

  assert.deepEqual(await offered(await site.as('viewer')), {
    pages: ['Nodes', 'Invocations', 'Approvals'],
    buttons: [],
    audit: 'This page needs the role admin',
  });
  const ASKING = ['Run an action …', '📨 Actions'];
  assert.deepEqual((await offered(await site.as('operator'))).buttons, ASKING);
  assert.deepEqual(await offered(await site.as('admin')), {
    pages: ['Nodes', 'Invocations', 'Approvals', 'Audit'],
    buttons: ASKING,
    audit: 'Audit',
  });
});
