import { MusterError } from '../../protocol/errors.js';
import { type Clock, toTime } from '../../runtime/clock.js';
import { isLoopback } from '../../runtime/loopback.js';
import type { ApiTokenCreated } from '../http/people-schemas.js';
import { type CreateSession, type SessionLink, SessionView, type SignInMethods } from '../http/session-schemas.js';
import { parseToken, principalOf, toTokenView } from '../identity/api-tokens.js';
import { peopleBehind } from '../identity/holders.js';
import { addLogin } from '../identity/login-tokens.js';
import type { TokenService } from '../identity/people-service.js';
import type { OnRefusedLogin } from '../identity/refused-logins.js';
import { BROWSER } from '../identity/token-rows.js';
import { findUser } from '../identity/users.js';
import type { Principal } from '../services.js';
import { appendAudit } from '../store/audit.js';
import type { Store } from '../store/store.js';
import type { SignInService } from './contract.js';
import { createCookie } from './cookies.js';
import { createSessionLinks } from './session-links.js';

/** What a browser sends along. */
type Browser = Readonly<{ cookies: string | undefined; origin: string | undefined; host: string | undefined }>;

/** Browsers that stay signed in: each holds a token of a person in a cookie. Each throws {MusterError} storage_failed, too. */
export type SessionService = Readonly<{
  /** Where browsers reach the controller, by its settings: scheme and host; undefined when they do not say. */
  publicOrigin: string | undefined;
  methods: SignInMethods;
  /**
   * A session, and the cookies that go with it.
   * @throws {MusterError} unauthenticated (what was given is wrong, or has ended), rate_limited, forbidden (the cookie
   *   would cross a network in clear), signed_in_already (a link of somebody else); for a sign-in at the provider
   *   sign_in_not_set_up, sign_in_failed
   */
  begin: (
    ask: CreateSession,
    browser: Browser,
  ) => Promise<Readonly<{ session: SessionView; cookies: readonly string[] }>>;
  /** Ends the session of these cookies, if there is one; gives the `Set-Cookie` that takes it away. */
  end: (cookies: string | undefined) => Promise<string>;
  /** A link that works once, for a session that ends with the token of the principal. */
  createLink: (principal: Principal) => Promise<SessionLink>;
  /** The token of a person in these cookies, valid or not; undefined when there is none. */
  tokenIn: (cookies: string | undefined) => string | undefined;
}>;

type Deps = Readonly<{
  store: Store;
  clock: Clock;
  org: string;
  publicUrl: string | undefined;
  tokens: Pick<TokenService, 'login' | 'logout'>;
  signIn: Pick<SignInService, 'collect'> | undefined;
  /** Told of tokens and codes that were wrong. */
  onRefusedLogin: OnRefusedLogin;
}>;

type Proven = Readonly<{ made: ApiTokenCreated; org: string; cookies?: readonly string[] }>;

/** A session is one of the tokens that there are: made, listed, revoked and audited as they are. */
export function createSessions(deps: Deps): SessionService {
  const { store, clock, org, tokens, signIn } = deps;
  const publicOrigin = deps.publicUrl === undefined ? undefined : new URL(deps.publicUrl).origin;
  const cookie = createCookie('muster-session', publicOrigin ?? 'http:', 'Strict');
  const links = createSessionLinks(clock);
  const authenticate = (token: string) => principalOf(store, token, clock.nowMs());

  function prove(ask: CreateSession, browser: Browser): Promise<Proven> {
    if ('token' in ask) return proveByToken(ask.token);
    if ('code' in ask) return proveByLink(ask.code, browser);
    if ('user' in ask) return tokens.login(org, ask, BROWSER).then((made) => ({ made, org }));
    return proveByProvider(browser);
  }

  /** A link may come from anybody: who opens one unawares stays who they are, and works in nobody else's name. */
  async function proveByLink(code: string, { cookies }: Browser): Promise<Proven> {
    const maker = links.take(code);
    const current = await whoIsIn(cookies);
    if (maker !== undefined && current !== undefined && !isSamePerson(maker, current)) {
      throw new MusterError(
        'signed_in_already',
        `This browser is signed in as ${current.id}, and the link is of ${maker.id}`,
      );
    }
    return follow(deps, maker, 'The link was used, or is older than two minutes');
  }

  async function proveByToken(token: string): Promise<Proven> {
    return follow(deps, await authenticate(token), 'The token is not valid');
  }

  async function proveByProvider(browser: Browser): Promise<Proven> {
    if (signIn === undefined) {
      throw new MusterError('sign_in_not_set_up', 'Sign-in by OpenID Connect is not set up at this controller');
    }
    const { token: made, cookies } = await signIn.collect({ ...browser, name: BROWSER });
    return { made, org, cookies };
  }

  function tokenIn(cookies: string | undefined): string | undefined {
    const value = cookie.read(cookies);
    return value === undefined || parseToken(value) === undefined ? undefined : value;
  }

  async function whoIsIn(cookies: string | undefined): Promise<Principal | undefined> {
    const token = tokenIn(cookies);
    return token === undefined ? undefined : authenticate(token);
  }

  return {
    publicOrigin,
    methods: { password: true, oidc: signIn !== undefined },
    async begin(ask, browser) {
      refuseInClear(publicOrigin, browser);
      const { made, cookies = [], ...of } = await prove(ask, browser);
      const session = SessionView.parse({ id: made.user, org: of.org, role: made.role, expires_at: made.expires_at });
      const lifeSeconds = Math.max(0, Math.floor((Date.parse(session.expires_at) - clock.nowMs()) / 1000));
      return { session, cookies: [...cookies, cookie.set(made.token, lifeSeconds)] };
    },
    async end(cookies) {
      const token = tokenIn(cookies);
      const principal = await whoIsIn(cookies);
      if (token !== undefined && principal !== undefined) await tokens.logout(principal, token);
      return cookie.clear();
    },
    async createLink(principal) {
      const { org: of, id, role } = principal;
      const row = { atMs: clock.nowMs(), org: of, actor: id, subject: `user:${id}`, details: { role } };
      await store.write((tx) => appendAudit(tx, [{ ...row, event: 'session_link_created' }]));
      const { code, expiresMs } = links.add(principal);
      return { code, expires_at: toTime(expiresMs) };
    },
    tokenIn,
  };
}

function isSamePerson(one: Principal, other: Principal): boolean {
  return one.org === other.org && one.id === other.id;
}

/** A session of somebody who is known by another token, and ends with that. @throws {MusterError} unauthenticated */
async function follow(
  { store, clock, onRefusedLogin }: Deps,
  principal: Principal | undefined,
  wrong: string,
): Promise<Proven> {
  const made = principal === undefined ? undefined : await addThrough(store, principal, clock.nowMs());
  if (made !== undefined && principal !== undefined) return { made, org: principal.org };
  onRefusedLogin(undefined);
  throw new MusterError('unauthenticated', wrong);
}

async function addThrough(store: Store, principal: Principal, nowMs: number): Promise<ApiTokenCreated | undefined> {
  const { org, id, role, token: through } = principal;
  if (role === 'sandbox') return undefined;
  const made = await store.write(async (tx) => {
    const user = await findUser(tx, org, id);
    if (user === undefined || user.disabled_at !== null) return undefined;
    return addLogin(tx, user, { name: BROWSER, role, through, holders: peopleBehind(principal), nowMs });
  });
  return made === undefined ? undefined : { ...toTokenView(made.row), token: made.token };
}

/** Who reads the cookie on its way is signed in. @throws {MusterError} forbidden */
function refuseInClear(publicOrigin: string | undefined, { origin, host = '' }: Browser): void {
  const isPageInClear = origin?.startsWith('http:') === true && !isHere(origin);
  if (!isPageInClear && (publicOrigin?.startsWith('https:') === true || isHere(`http://${host}`))) return;
  throw new MusterError(
    'forbidden',
    'Browsers sign in over https, or on the machine of the controller: set controller.public_url to its https address, and open that',
  );
}

function isHere(address: string): boolean {
  return URL.canParse(address) && isLoopback(new URL(address).hostname);
}
