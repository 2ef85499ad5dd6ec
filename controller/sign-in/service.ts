import { isMusterError, MusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { ApiTokenCreated } from '../http/people-schemas.js';
import { toTokenView } from '../identity/api-tokens.js';
import { createGate, type Gate } from '../identity/gate.js';
import { addLogin } from '../identity/login-tokens.js';
import type { OnRefusedLogin } from '../identity/refused-logins.js';
import { type BROWSER, LOGIN } from '../identity/token-rows.js';
import { findUser, type UserRow } from '../identity/users.js';
import type { Tx } from '../store/database.js';
import type { Store } from '../store/store.js';
import { admitPerson, type NotAdmitted, type Way } from './admit-person.js';
import { createBrowserSignIns } from './browser-sign-ins.js';
import { type Person, roleOf } from './claims.js';
import type { SignInService } from './contract.js';
import { createDeviceSignIns } from './device-sign-ins.js';
import { createHandOver } from './hand-over.js';
import { createProvider, type Provider } from './provider.js';
import type { Oidc } from './settings.js';

/** Anybody may begin a sign-in, and each asks the provider: so many at once, and so many that wait. */
const PROVIDER_GATE = { atOnce: 8, waiting: 32, refusal: 'Too many people sign in: try again in a moment' };

type Deps = Readonly<{
  oidc: Oidc;
  store: Store;
  org: string;
  clock: Clock;
  /** Told of sign-ins that did not come about. */
  onRefusedLogin: OnRefusedLogin;
}>;

/** Sign-in by OpenID Connect. Nothing is asked of the provider before somebody signs in. */
export function createSignIn(deps: Deps): SignInService {
  const { oidc, store, org, clock } = deps;
  const origin = oidc.publicOrigin;
  const provider = withGate(createProvider(oidc), createGate(PROVIDER_GATE));
  const browsers = createBrowserSignIns({ provider, origin, clock });
  const devices = createDeviceSignIns({ provider, clock });
  const handOver = createHandOver({ origin, clock });

  /** Lets a person in, and does in the same transaction what comes of it. */
  async function admit<T>(person: Person, way: Way, then: (tx: Tx, user: UserRow) => Promise<T>): Promise<T> {
    const role = roleOf(person.groups, oidc);
    const outcome = await store.write(async (tx): Promise<NotAdmitted | Readonly<{ made: T }>> => {
      const user = await admitPerson(tx, { org, person, role, way, nowMs: clock.nowMs() });
      return 'refused' in user ? user : { made: await then(tx, user) };
    });
    if ('made' in outcome) return outcome.made;
    handOver.withdraw(outcome.user);
    throw new MusterError('forbidden', outcome.refused);
  }

  async function issue(tx: Tx, user: UserRow, name: typeof LOGIN | typeof BROWSER = LOGIN): Promise<ApiTokenCreated> {
    const made = await addLogin(tx, user, { name, holders: [user.id], nowMs: clock.nowMs() });
    if (made === undefined) throw new MusterError('sign_in_failed', 'The sign-in has ended');
    return { ...toTokenView(made.row), token: made.token };
  }

  return {
    begin: browsers.begin,
    finish: (back) =>
      counted(deps, async () => {
        const { person, location, cookies } = await browsers.finish(back);
        const { id: user, role } = await admit(person, 'browser', async (_tx, row) => row);
        const all = [...cookies, handOver.offer(user)];
        return location === undefined ? { user, role, cookies: all } : { location, cookies: all };
      }),
    async collect({ cookies, origin: from, name }) {
      if (from !== undefined && from !== origin) {
        throw new MusterError('forbidden', 'Only a page of this controller may fetch the token');
      }
      const { user, cookie } = handOver.take(cookies);
      const token = await store.write(async (tx) => {
        const row = await findUser(tx, org, user);
        return row === undefined || row.disabled_at !== null ? undefined : issue(tx, row, name);
      });
      if (token === undefined) throw new MusterError('sign_in_failed', 'The user is gone since');
      return { token, cookies: [cookie] };
    },
    startDevice: devices.start,
    pollDevice: (code) =>
      counted(deps, async () => {
        const said = await devices.poll(code);
        if ('intervalSeconds' in said) return { status: 'pending', interval: said.intervalSeconds };
        return { status: 'done', token: await admit(said, 'device', (tx, user) => issue(tx, user)) };
      }),
  };
}

async function counted<T>({ onRefusedLogin }: Deps, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isMusterError(error, 'sign_in_failed') || isMusterError(error, 'forbidden')) onRefusedLogin(undefined);
    throw error;
  }
}

function withGate(provider: Provider, { run }: Gate): Provider {
  return {
    authorizationUrl: (marks) => run(() => provider.authorizationUrl(marks)),
    redeem: (callback, marks) => run(() => provider.redeem(callback, marks)),
    startDevice: () => run(provider.startDevice),
    askDevice: (deviceCode) => run(() => provider.askDevice(deviceCode)),
  };
}
