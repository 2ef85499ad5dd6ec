import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { findCommand } from './commands.js';

/** Debian's Chromium, or what others install. */
const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome'];
/** It talks to what a test tells it to, and to nobody else. */
const ARGS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-smooth-scrolling'],
];
const START_MS = 60_000;
/** For each wait of a test. */
const WAIT_MS = 20_000;
/** How the page learns that nobody is signed in; every browser writes failed answers into its console. */
const NOBODY = /status of 401 .*\/api\/v1\/me$/;

/** What a test does with the browser. Whatever it opens is closed with the test. */
export type TestBrowser = Readonly<{
  /** A page that shares nothing with other ones, cookies included. */
  open: (options?: BrowserContextOptions) => Promise<Page>;
  /** Errors like these are what the test is about; any other one fails it. */
  expectFaults: (...likes: RegExp[]) => void;
}>;

type BrowserTest = (title: string, body: (t: TestContext, browser: TestBrowser) => Promise<void>) => void;

/**
 * The `test` of a file whose tests drive a browser: one for all of them, that starts with the first. A test fails when
 * the console had an error (a violation of the Content-Security-Policy is one), a script threw, or a request failed, and
 * skips where there is no browser.
 */
export function browserTests(): BrowserTest {
  let running: Promise<Browser> | undefined;
  after(async () => (await running)?.close());
  return (title, body) => {
    test(title, async (t) => {
      const executablePath = PROGRAMS.map(findCommand).find((program) => program !== undefined);
      if (executablePath === undefined) return t.skip('Chromium is not installed');
      running ??= chromium.launch({ executablePath, args: ARGS, timeout: START_MS });
      const watched = watch(await running);
      try {
        await body(t, watched);
      } catch (error) {
        for (const fault of watched.faults()) t.diagnostic(fault);
        throw error;
      } finally {
        await watched.close();
      }
      assert.deepEqual(watched.faults(), []);
    });
  };
}

function watch(browser: Browser) {
  const [faults, expected]: [string[], RegExp[]] = [[], [NOBODY]];
  const pages: Page[] = [];
  const open = async (options?: BrowserContextOptions): Promise<Page> => {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(WAIT_MS);
    const page = await context.newPage();
    pages.push(page);
    page.on('pageerror', ({ message }) => faults.push(`thrown: ${message}`));
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(`console: ${message.text()} ${message.location().url}`);
    });
    page.on('requestfailed', (request) => {
      const why = request.failure()?.errorText ?? '';
      if (why !== 'net::ERR_ABORTED') faults.push(`failed: ${why} ${request.url()}`); // the page itself gave it up
    });
    return page;
  };
  return {
    open,
    expectFaults: (...likes: RegExp[]) => void expected.push(...likes),
    faults: () => faults.filter((fault) => !expected.some((like) => like.test(fault))),
    async close() {
      for (const page of pages) await page.context().close();
    },
  };
}

/** Where the dashboard is, and an API token of who looks at it. */
export type Site = Readonly<{ url: string; token: string }>;

/** Signs the browser of a page in, without the form, and goes to this path of the page. */
export async function signIn(page: Page, { url, token }: Site, path = '/nodes'): Promise<void> {
  const answer = await page.context().request.post(`${url}/api/v1/auth/session`, {
    data: { token },
    headers: { origin: new URL(url).origin },
  });
  assert.equal(answer.status(), 201, await answer.text());
  await page.goto('about:blank'); // else a page that is there already would not be loaded again
  await page.goto(`${url}/#${path}`);
}

/** Waits until this text stands somewhere in the page, and only once. */
export async function showsText(page: Page, text: string | RegExp): Promise<void> {
  await page.getByText(text).waitFor();
}
