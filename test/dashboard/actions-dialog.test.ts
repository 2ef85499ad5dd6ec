import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import type { Locator, Page } from 'playwright-core';
import { z } from 'zod';
import { InvocationView } from '../../controller/http/schemas.js';
import type { TestScope } from '../support/broker.js';
import { browserTests, showsText, signIn } from '../support/browser.js';
import { OWNER } from '../support/core.js';
import { startDashboardSite } from '../support/dashboard-site.js';
import { createGate } from '../support/gate.js';
import { writeHook } from '../support/hooks.js';
import { startInstallation } from '../support/installation.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const NODE = 'kiosk-1';
const test = browserTests();

/** A page with one node that is there. */
async function showNode(t: TestScope, page: Page) {
  const site = await startDashboardSite(t);
  const agent = await site.startAgent(NODE, {
    actions: ['message', 'restart', 'reboot'].map((name) => ({ name, description: name, parameters: [] })),
  });
  await signIn(page, site);
  return { ...site, agent };
}

async function openDialog(page: Page, node = NODE): Promise<Locator> {
  await cardOf(page, node).getByRole('button', { name: '📨 Actions' }).click();
  const dialog = page.getByRole('dialog', { name: `Actions for ${node}` });
  await dialog.waitFor();
  return dialog;
}

function cardOf(page: Page, node: string): Locator {
  return page.getByRole('article', { name: node });
}

test('F-73, F-74, F-75, F-78: the button of a card opens a dialog with three actions, Send, Cancel and ×', async (t, browser) => {
  const page = await browser.open();
  await showNode(t, page);
  const button = cardOf(page, NODE).getByRole('button');
  assert.equal(await button.innerText(), '📨 Actions');
  assert.equal(await button.getAttribute('title'), 'Send message or command');

  const dialog = await openDialog(page);

  assert.equal(await dialog.getByRole('heading').first().innerText(), `Actions for ${NODE}`);
  assert.deepEqual(await dialog.getByLabel('Action type').locator('option').allInnerTexts(), [
    ...['💬 Send Message', '🔄 Restart Agent', '🔌 Reboot Machine'],
  ]);
  assert.deepEqual(await dialog.locator('footer').getByRole('button').allInnerTexts(), ['Send', 'Cancel']);
  assert.equal(await dialog.getByRole('button', { name: 'Close' }).innerText(), '×');
});

/** Whether nothing lies over the last toast, and whoever listens to the dialog hears it. */
const LAST_TOAST = `(() => {
  const toast = [...document.querySelectorAll('.toast')].at(-1);
  const { left, top, width, height } = toast.getBoundingClientRect();
  return {
    isOnTop: document.elementFromPoint(left + width / 2, top + height / 2) === toast,
    isHeard: toast.closest('dialog [role=status]') !== null,
  };
})()`;

test('F-76, F-77, F-81, S-F-28: the field is for a message alone, which is asked for when it is empty; the warning is for a reboot', async (t, browser) => {
  const page = await browser.open();
  const { core } = await showNode(t, page);
  const dialog = await openDialog(page);
  const field = dialog.locator('textarea');
  const warning = dialog.getByText('⚠️ This will reboot the machine!', { exact: true });
  const shown = async () => [await field.isVisible(), await warning.isVisible()];

  assert.deepEqual(await shown(), [true, false]);
  assert.equal(await field.getAttribute('placeholder'), 'Enter message...');
  assert.equal(await field.getAttribute('rows'), '3');
  for (const text of ['', '  \n']) {
    await field.fill(text);
    const told = await page.locator('.toast.error').count();
    await dialog.getByRole('button', { name: 'Send' }).click();
    const toast = page.locator('.toast.error').nth(told);
    assert.equal(await toast.innerText(), 'Please enter a message');
    assert.deepEqual(await page.evaluate(LAST_TOAST), { isOnTop: true, isHeard: true });
  }
  assert.equal(await dialog.isVisible(), true);
  assert.deepEqual(await core.store.read.selectFrom('invocations').select('id').execute(), []);

  await dialog.getByLabel('Action type').selectOption('🔄 Restart Agent');
  assert.deepEqual(await shown(), [false, false]);
  await dialog.getByLabel('Action type').selectOption('🔌 Reboot Machine');
  assert.deepEqual(await shown(), [false, true]);
});

test('F-74, F-78, F-84: ×, Cancel, Escape and a click beside it close the dialog and give the focus back; what begins within it does not', async (t, browser) => {
  const page = await browser.open();
  await showNode(t, page);

  for (const close of [
    (dialog: Locator) => dialog.getByRole('button', { name: 'Close' }).click(),
    (dialog: Locator) => dialog.getByRole('button', { name: 'Cancel' }).click(),
    () => page.keyboard.press('Escape'),
    () => page.mouse.click(5, 300),
  ]) {
    const dialog = await openDialog(page);
    await close(dialog);
    await dialog.waitFor({ state: 'detached' });
    assert.equal(await page.evaluate('document.activeElement.textContent'), '📨 Actions');
  }

  const dialog = await openDialog(page);
  const field = dialog.locator('textarea');
  await field.fill('a long message');
  await dialog.getByText('Action type').click();
  await field.hover();
  await page.mouse.down(); // marks what is written, and ends beside the dialog
  await page.mouse.move(5, 300);
  await page.mouse.up();
  await dialog.getByRole('heading').click();
  assert.equal(await field.inputValue(), 'a long message');
});

const Rgb = z.string().regex(/^rgba?\(/);
const Looks = z.object({
  backdrop: z.string(),
  open: z.boolean(),
  box: z.object({ width: z.number(), height: z.number(), maxHeight: z.string() }),
  warning: z.object({ colour: Rgb, page: Rgb, line: Rgb }),
  covers: z.array(z.string()),
});
/** What the browser makes of the dialog that is open, and what of the page lies on top at its corners. */
const LOOKS = `(() => {
  const dialog = document.querySelector('dialog');
  const { width, height } = dialog.getBoundingClientRect();
  const warning = getComputedStyle(dialog.querySelector('.warning'));
  return {
    backdrop: getComputedStyle(dialog, '::backdrop').backgroundColor,
    open: dialog.matches(':modal'),
    box: { width, height, maxHeight: getComputedStyle(dialog).maxHeight },
    warning: { colour: warning.color, page: warning.backgroundColor, line: warning.borderTopColor },
    covers: [[1, 1], [innerWidth - 2, 1], [1, innerHeight - 2]].map(([x, y]) => document.elementFromPoint(x, y).tagName),
  };
})()`;

test('F-80: a half black sheet lies over the whole page, and the dialog is 500 px or 90 % wide and 80 % high at most', async (t, browser) => {
  const page = await browser.open();
  await showNode(t, page);
  const dialog = await openDialog(page);
  await dialog.getByLabel('Action type').selectOption('🔌 Reboot Machine');
  const looksAt = async (width: number, height: number) => {
    await page.setViewportSize({ width, height });
    return Looks.parse(await page.evaluate(LOOKS));
  };

  const wide = await looksAt(1200, 800);
  assert.deepEqual([wide.backdrop, wide.open, wide.box.width], ['rgba(0, 0, 0, 0.5)', true, 500]);
  assert.deepEqual(wide.covers, ['DIALOG', 'DIALOG', 'DIALOG']); // of which its backdrop is a part
  assert.equal(wide.box.maxHeight, '640px');
  assert.equal((await looksAt(400, 800)).box.width, 360);
  const low = await looksAt(1200, 200);
  assert.equal(low.box.height, 160);

  const { warning } = wide;
  assert.equal(new Set([warning.colour, warning.page, warning.line]).size, 3);
  await page.emulateMedia({ colorScheme: 'dark' });
  assert.notDeepEqual(Looks.parse(await page.evaluate(LOOKS)).warning, warning);
});

test('F-82, F-83, F-89: a message that is sent closes the dialog, and appears on the machine titled DashFleet', async (t, browser) => {
  const { file: sign } = writeHook(temporaryDirectory(t), 'sign', '#!/bin/sh\nprintf "[%s]\\n" "$@" >> "$0.shown"\n');
  const site = await startInstallation(t, { dashboard: true, agent: { message_program: sign } });
  const page = await browser.open();
  await signIn(page, { url: site.url, token: site.ownerToken });

  const dialog = await openDialog(page, 'node-1');
  await dialog.locator('textarea').fill('Hello from the "fleet" page');
  await dialog.getByRole('button', { name: 'Send' }).click();

  await showsText(page, 'Action sent to node-1!');
  await dialog.waitFor({ state: 'detached' });
  const shown = await until(() => existsSync(`${sign}.shown`) && readFileSync(`${sign}.shown`, 'utf8'), {
    what: 'the message on the machine',
  });
  assert.equal(shown, '[DashFleet]\n[Hello from the "fleet" page]\n');
  const [asked] = await site.client.list(InvocationView, { path: '/invocations' });
  assert.equal(asked?.created_by, 'owner');
});

test('F-83: what the controller refuses is told in its words, and the dialog stays', async (t, browser) => {
  const page = await browser.open();
  const { core } = await showNode(t, page);
  const dialog = await openDialog(page);
  await dialog.getByLabel('Action type').selectOption('🔄 Restart Agent');
  browser.expectFaults(/status of 4\d\d .*\/api\/v1\/(invocations|nodes)/);

  await core.core.services.nodes.remove(OWNER, NODE);
  await dialog.getByRole('button', { name: 'Send' }).click();

  const toast = page.locator('.toast.error');
  await toast.waitFor();
  assert.match(await toast.innerText(), /^Error: .*kiosk-1/);
  assert.equal(await dialog.isVisible(), true);
});

test('F-79, F-83: the results of a machine are hidden while there are none, and follow what comes of each', async (t, browser) => {
  const page = await browser.open();
  const { agent } = await showNode(t, page);
  const dialog = await openDialog(page);
  assert.equal(await dialog.getByText('Action Results:').isVisible(), false);
  await dialog.getByLabel('Action type').selectOption('🔌 Reboot Machine');
  await dialog.getByRole('button', { name: 'Send' }).click();
  await showsText(page, `Action sent to ${NODE}!`);

  const offered = await agent.nextOffer();
  await agent.ack(offered);
  const again = await openDialog(page);
  await again.getByText('Action Results:', { exact: true }).waitFor();
  const first = again.getByRole('listitem').first();
  await first.getByText('executing', { exact: true }).waitFor();

  await agent.result(offered, { status: 'failed', exit_code: 1 });
  await first.getByText('failed', { exact: true }).waitFor();
});

test('F-83: what is sent again because no answer came is asked once', async (t, browser) => {
  const page = await browser.open();
  const { core } = await showNode(t, page);
  browser.expectFaults(/ERR_FAILED/);
  await page.route(
    '**/api/v1/invocations',
    async (route) => {
      await route.fetch(); // the controller has taken it
      await route.abort();
    },
    { times: 1 },
  );
  const dialog = await openDialog(page);
  await dialog.getByLabel('Action type').selectOption('🔌 Reboot Machine');
  await dialog.getByRole('button', { name: 'Send' }).click();
  await showsText(page, 'Error: The controller does not answer');

  await dialog.getByRole('button', { name: 'Send' }).click();

  await dialog.waitFor({ state: 'detached' });
  assert.equal((await core.store.read.selectFrom('invocations').select('id').execute()).length, 1);
});

test('an answer that comes when its dialog is gone closes no other', async (t, browser) => {
  const page = await browser.open();
  await showNode(t, page);
  const gate = createGate();
  await page.route('**/api/v1/invocations', async (route) => {
    await gate.passed;
    await route.continue();
  });
  const first = await openDialog(page);
  await first.getByLabel('Action type').selectOption('🔄 Restart Agent');
  await first.getByRole('button', { name: 'Send' }).click();
  await first.getByRole('button', { name: 'Cancel' }).click();
  await first.waitFor({ state: 'detached' });
  const second = await openDialog(page);
  await second.locator('textarea').fill('half a message');

  gate.open();

  await showsText(page, `Action sent to ${NODE}!`);
  await second.getByRole('listitem').first().waitFor();
  assert.equal(await second.locator('textarea').inputValue(), 'half a message');
});
