import { createServer, type IncomingMessage } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { TestScope } from './broker.js';
import { listening } from './listening.js';

type Json = Readonly<Record<string, unknown>>;

/** What an endpoint answers instead of what it should; `hang` answers nothing, ever. */
export type Answer = Readonly<{ status?: number; json?: unknown; text?: string }> | 'hang';

/** What a test may change between two requests. */
export type Script = {
  /** Who signs in: the claims about them. */
  person: Json;
  /** What the user info adds. */
  userInfo: Json;
  /** Changes the id token before it is signed; the header too. */
  claims: (claims: Json) => Json;
  algorithm: string;
  /** Signs with a key that the provider does not publish. */
  isForged: boolean;
  /** Instead of the endpoint of this name: `configuration`, `token`, `userinfo`, `device`. */
  answers: Map<string, Answer>;
  /** What polls for a device are told, one after the other; then it was confirmed. */
  deviceErrors: string[];
};

/** An OpenID Connect provider that does as a test says: every browser that comes is signed in at once. */
export type TestProvider = Readonly<{
  issuer: string;
  script: Script;
  /** The endpoints that were asked, oldest first. */
  asked: string[];
  /** The bodies that came to the token endpoint. */
  grants: URLSearchParams[];
}>;

export const CLIENT = { id: 'muster', secret: 'canary-client-secret' };

/** Starts one on a free port of 127.0.0.1; it ends with the test. */
export async function startTestProvider(t: TestScope): Promise<TestProvider> {
  const keys = await generateKeyPair('ES256');
  const forged = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' };
  const script: Script = {
    person: { sub: 'ann-at-work', preferred_username: 'ann', groups: ['fleet-operators'] },
    userInfo: {},
    claims: (claims) => claims,
    algorithm: 'ES256',
    isForged: false,
    answers: new Map(),
    deviceErrors: [],
  };
  const asked: string[] = [];
  const grants: URLSearchParams[] = [];
  /** Nonce and challenge by code; a code works once. */
  const codes = new Map<string, Readonly<{ nonce: string | undefined }>>();
  let issuer = '';

  async function idToken(nonce: string | undefined): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const times = { iat: now, exp: now + 300 };
    const claims = script.claims({ iss: issuer, aud: CLIENT.id, ...times, nonce, ...script.person });
    const header = { alg: script.algorithm, kid: 'k1' };
    if (script.algorithm === 'none') {
      return `${[header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`;
    }
    const key = script.isForged ? forged.privateKey : keys.privateKey;
    return new SignJWT({ ...claims }).setProtectedHeader(header).sign(key);
  }

  async function token(body: URLSearchParams): Promise<Answer> {
    grants.push(body);
    if (body.get('grant_type')?.endsWith(':device_code')) {
      const error = script.deviceErrors.shift();
      if (error !== undefined) return { status: 400, json: { error, error_description: 'canary words' } };
      return tokens(undefined);
    }
    const code = body.get('code') ?? '';
    const issued = codes.get(code);
    codes.delete(code);
    if (issued === undefined) return { status: 400, json: { error: 'invalid_grant' } };
    return tokens(issued.nonce);
  }

  async function tokens(nonce: string | undefined): Promise<Answer> {
    return { json: { access_token: 'canary-access', token_type: 'Bearer', id_token: await idToken(nonce) } };
  }

  const endpoints: Readonly<Record<string, (body: URLSearchParams) => Answer | Promise<Answer>>> = {
    configuration: () => ({ json: configurationOf(issuer) }),
    keys: () => ({ json: { keys: [jwk] } }),
    token,
    userinfo: () => ({ json: { sub: script.person.sub, ...script.userInfo } }),
    device: () => ({
      json: {
        ...{ device_code: 'canary-device-code', user_code: 'WDJB-MJHT', expires_in: 600, interval: 1 },
        verification_uri: `${issuer}/confirm`,
      },
    }),
  };

  const server = createServer((request, response) => {
    void (async () => {
      const { pathname, searchParams } = new URL(request.url ?? '/', issuer);
      if (pathname === '/authorize') {
        const code = `code-${codes.size}-${Math.random()}`;
        codes.set(code, { nonce: searchParams.get('nonce') ?? undefined });
        const back = new URL(searchParams.get('redirect_uri') ?? issuer);
        back.searchParams.set('code', code);
        back.searchParams.set('state', searchParams.get('state') ?? '');
        response.writeHead(302, { location: back.href }).end();
        return;
      }
      const name = pathname.startsWith('/.well-known/') ? 'configuration' : pathname.slice(1);
      asked.push(name);
      const body = new URLSearchParams(await textOf(request));
      const answer = script.answers.get(name) ?? (await endpoints[name]?.(body)) ?? { status: 404 };
      if (answer === 'hang') return;
      const { status = 200, json, text = JSON.stringify(json ?? null) } = answer;
      response.writeHead(status, { 'content-type': 'application/json' }).end(text);
    })();
  });
  issuer = await listening(t, server);
  return { issuer, script, asked, grants };
}

function configurationOf(issuer: string): Json {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/keys`,
    userinfo_endpoint: `${issuer}/userinfo`,
    device_authorization_endpoint: `${issuer}/device`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(Buffer.from(part));
  return Buffer.concat(parts).toString();
}
