import assert from 'node:assert/strict';
import type { StreamLimits } from '../../controller/http/event-streams.js';
import { type SessionView, SessionView as View } from '../../controller/http/session-schemas.js';
import { insertOwner } from '../../controller/identity/users.js';
import type { Role } from '../../controller/services.js';
import type { Clock } from '../../runtime/clock.js';
import type { TestScope } from './broker.js';
import { OWNER, startTestCore, type TestCore } from './core.js';
import { startTestHttp } from './http.js';
import { askPlainly, type PlainAnswer } from './plain-http.js';

export const PASSWORD = 'correct horse battery';

/** A controller with a user `ann`, an operator with the password above. */
export type SessionSite = Readonly<{ url: string; core: TestCore; origin: string }>;

export async function startSessionSite(
  t: TestScope,
  {
    clock,
    config = {},
    limits = {},
  }: { clock?: Clock; config?: Readonly<Record<string, unknown>>; limits?: Partial<StreamLimits> } = {},
): Promise<SessionSite> {
  const core = await startTestCore(t, { ...(clock === undefined ? {} : { clock }), config });
  await core.store.write((tx) => insertOwner(tx, { org: 'default', id: 'owner', nowMs: 1 }));
  await core.core.services.people.createUser(OWNER, { id: 'ann', role: 'operator', password: PASSWORD });
  const { url } = await startTestHttp(t, core.core.services, undefined, limits);
  return { url, core, origin: url };
}

type Headers = Readonly<Record<string, string>>;

/** A POST of JSON, as our page sends it. */
export function postAs(site: SessionSite, path: string, body: unknown, headers: Headers = {}): Promise<PlainAnswer> {
  return askPlainly(site.url, {
    method: 'POST',
    path,
    headers: { 'content-type': 'application/json', origin: site.origin, ...headers },
    body: JSON.stringify(body),
  });
}

/** What POST /auth/session answers to this proof. */
export function beginSession(site: SessionSite, proof: unknown, headers: Headers = {}): Promise<PlainAnswer> {
  return postAs(site, '/api/v1/auth/session', proof, headers);
}

/** A browser that is signed in: what its cookie says, and its session. */
export async function signInBrowser(
  site: SessionSite,
  proof: unknown = { user: 'ann', password: PASSWORD },
): Promise<Readonly<{ cookie: string; session: SessionView }>> {
  const answer = await beginSession(site, proof);
  assert.equal(answer.status, 201, answer.text);
  return { cookie: cookieOf(answer), session: View.parse(JSON.parse(answer.text)) };
}

/** Of an answer that sets one cookie, the pair that a browser sends back. */
export function cookieOf({ headers }: PlainAnswer): string {
  const lines = headers['set-cookie'] ?? [];
  assert.equal(lines.length, 1, lines.join('\n'));
  return lines[0]?.split(';', 1)[0] ?? '';
}

/** A token of ann's, made by an owner. */
export async function tokenOfAnn(
  { core }: SessionSite,
  role: Role = 'operator',
): Promise<{ id: string; token: string }> {
  return core.core.services.tokens.create(OWNER, { user: 'ann', name: 'cli', role });
}

/** Asserts that an answer is the problem of this code. */
export function assertRefused({ status, text }: PlainAnswer, expected: number, code: string): void {
  assert.equal(status, expected, text);
  assert.equal(JSON.parse(text).code, code, text);
}
