import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import { Provider } from 'oidc-provider';
import type { TestScope } from './broker.js';
import { CLIENT } from './identity-provider.js';
import { listening } from './listening.js';

type Account = Readonly<Record<string, unknown>>;

/** An OpenID Connect provider that others make and certify, with the pages on which people log in and consent. */
export type RealProvider = Readonly<{
  issuer: string;
  /** Groups by login. */
  groupsOf: Map<string, readonly string[]>;
}>;

/** Starts one on a free port of 127.0.0.1, with one client that comes back to `redirectUri`; it ends with the test. */
export async function startRealProvider(t: TestScope, redirectUri: string): Promise<RealProvider> {
  const server = createServer();
  const issuer = await listening(t, server);
  const groupsOf = new Map<string, readonly string[]>();
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const provider = new Provider(issuer, {
    clients: [
      {
        ...{ client_id: CLIENT.id, client_secret: CLIENT.secret, redirect_uris: [redirectUri] },
        grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
        response_types: ['code'],
      },
    ],
    features: { deviceFlow: { enabled: true } },
    scopes: ['openid', 'profile'],
    claims: { openid: ['sub'], profile: ['preferred_username', 'groups'] },
    findAccount: async (_context: unknown, sub: string) => ({
      accountId: sub,
      claims: async (): Promise<Account> => ({ sub, preferred_username: sub, groups: groupsOf.get(sub) ?? [] }),
    }),
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'k1', alg: 'RS256', use: 'sig' }] },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    pkce: { required: () => true },
    ttl: {
      Session: 60,
      Grant: 60,
      Interaction: 60,
      AccessToken: 60,
      IdToken: 60,
      DeviceCode: 60,
      AuthorizationCode: 60,
    },
  });
  server.on('request', provider.callback());
  return { issuer, groupsOf };
}

/**
 * What a person does with a browser at the provider: logs in under this name, consents, and submits each form that
 * comes. Gives the address outside of the provider to which it sends them, or the text of its last page.
 */
export async function visitProvider({ issuer }: RealProvider, address: string, login: string): Promise<string> {
  const cookies = new Map<string, string>();
  let next: Readonly<{ url: string; form?: URLSearchParams }> = { url: address };
  for (let steps = 0; steps < 20; steps += 1) {
    if (!next.url.startsWith(issuer)) return next.url;
    const response: Response = await fetch(next.url, {
      method: next.form === undefined ? 'GET' : 'POST',
      body: next.form ?? null,
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      redirect: 'manual',
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      cookies.set(name, value);
    }
    const location = response.headers.get('location');
    const text = await response.text();
    if (location !== null) {
      next = { url: new URL(location, issuer).href };
      continue;
    }
    const [, action, inside = ''] = /<form[^>]*action="([^"]+)"[^>]*>([\s\S]*?)<\/form>/.exec(text) ?? [];
    if (action === undefined) return text;
    next = { url: new URL(action, issuer).href, form: filledIn(inside, login) };
  }
  throw new Error('the provider sends its visitors in a circle');
}

function filledIn(inside: string, login: string): URLSearchParams {
  const form = new URLSearchParams();
  for (const [input] of inside.matchAll(/<(input|button)[^>]*>/g)) {
    const name = /name="([^"]+)"/.exec(input)?.[1];
    if (name !== undefined) form.set(name, /value="([^"]*)"/.exec(input)?.[1] ?? '');
  }
  for (const name of ['login', 'password']) if (form.has(name)) form.set(name, login);
  return form;
}
