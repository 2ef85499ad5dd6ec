import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiTokenCreated } from '../../controller/http/people-schemas.js';
import { insertOwner } from '../../controller/identity/users.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { TestScope } from './broker.js';
import { startTestCore, type TestCore } from './core.js';
import { startTestHttp } from './http.js';
import { CLIENT, startTestProvider, type TestProvider } from './identity-provider.js';
import { temporaryDirectory } from './temporary-directory.js';

/** Browsers know the controller by this address; the tests reach it at another, as behind a proxy. */
export const ORIGIN = 'https://muster.example.org';
const OIDC = '/api/v1/auth/oidc';

/** A controller with sign-in at a provider that a test directs. */
export type SignInSite = Readonly<{ url: string; core: TestCore; provider: TestProvider }>;

export const ROLES = { 'fleet-viewers': 'viewer', 'fleet-operators': 'operator', 'fleet-owners': 'owner' } as const;

export async function startSignInSite(
  t: TestScope,
  { oidc = {}, clock, log }: { oidc?: Readonly<Record<string, unknown>>; clock?: Clock; log?: Logger } = {},
): Promise<SignInSite> {
  const provider = await startTestProvider(t);
  const secretFile = join(temporaryDirectory(t), 'secret');
  writeFileSync(secretFile, `${CLIENT.secret}\n`);
  const core = await startTestCore(t, {
    config: {
      public_url: ORIGIN,
      oidc: { issuer: provider.issuer, client_id: CLIENT.id, client_secret_file: secretFile, roles: ROLES, ...oidc },
    },
    ...(clock === undefined ? {} : { clock }),
    ...(log === undefined ? {} : { log }),
  });
  await core.store.write((tx) => insertOwner(tx, { org: 'default', id: 'owner', nowMs: 1 }));
  const { url } = await startTestHttp(t, core.core.services, log);
  return { url, core, provider };
}

/** What a browser does, step by step: it keeps cookies, and goes nowhere by itself. */
export type Browser = Readonly<{
  cookies: Map<string, string>;
  /** A GET of an address of the controller, under whichever origin it is written. */
  get: (address: string) => Promise<Response>;
  /** Follows the controller's redirect to the provider, and gives where that one sends it back to. */
  begin: (query?: string) => Promise<string>;
  collect: (headers?: Readonly<Record<string, string>>) => Promise<Response>;
}>;

export function openBrowser({ url }: Pick<SignInSite, 'url'>): Browser {
  const cookies = new Map<string, string>();
  const send = async (path: string, init: RequestInit & { headers?: Readonly<Record<string, string>> } = {}) => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(`${url}${path}`, {
      ...{ ...init, redirect: 'manual' },
      headers: { ...(cookie === '' ? {} : { cookie }), ...init.headers },
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '') cookies.delete(name);
      else cookies.set(name, value);
    }
    return response;
  };
  const get: Browser['get'] = (address) => {
    const { pathname, search } = new URL(address, ORIGIN);
    return send(`${pathname}${search}`);
  };
  return {
    cookies,
    get,
    async begin(query = '') {
      const first = await get(`${OIDC}/login${query}`);
      assert.equal(first.status, 303, await first.clone().text());
      const second = await fetch(first.headers.get('location') ?? '', { redirect: 'manual' });
      return second.headers.get('location') ?? '';
    },
    collect: (headers = {}) => send(`${OIDC}/session`, { method: 'POST', headers: { origin: ORIGIN, ...headers } }),
  };
}

/** A whole sign-in in a browser of its own: the token. */
export async function signIn(site: SignInSite): Promise<ApiTokenCreated> {
  const browser = openBrowser(site);
  const back = await browser.get(await browser.begin());
  assert.equal(back.status, 200, await back.clone().text());
  const answer = await browser.collect();
  assert.equal(answer.status, 201, await answer.clone().text());
  return ApiTokenCreated.parse(await answer.json());
}

/** A sign-in that the controller does not let through: its answer. */
export async function refusedSignIn(site: SignInSite): Promise<Response> {
  const browser = openBrowser(site);
  return browser.get(await browser.begin());
}

/** A POST of JSON without a token. */
export function post(site: SignInSite, path: string, body?: unknown): Promise<Response> {
  return fetch(`${site.url}${OIDC}${path}`, {
    method: 'POST',
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
}
