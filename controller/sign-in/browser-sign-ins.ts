import { timingSafeEqual } from 'node:crypto';
import { randomNonce, randomPKCECodeVerifier, randomState } from 'openid-client';
import { z } from 'zod';
import { sha256Hex } from '../../protocol/envelope.js';
import { MusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Person } from './claims.js';
import type { Onward } from './contract.js';
import { createCookie } from './cookies.js';
import { CALLBACK_PATH, type Provider } from './provider.js';
import { toReturnAddress } from './return-path.js';
import { createSealer } from './seal.js';

/** Sign-ins in a browser, from the first redirect to the way back (RFC 6749, section 4.1, with PKCE). */
export type BrowserSignIns = Readonly<{
  /** @throws {MusterError} invalid_request; and what {@link Provider} throws */
  begin: (returnTo: string | undefined) => Promise<Onward>;
  /** Who came back, and where they want to go. @throws {MusterError} sign_in_failed; and as above */
  finish: (
    back: Readonly<{ query: string; cookies: string | undefined }>,
  ) => Promise<Readonly<{ person: Person; location: string | undefined; cookies: readonly string[] }>>;
}>;

const LIFE_SECONDS = 600;

/** What the browser keeps for us in between, sealed. */
const Begun = z.strictObject({
  state: z.string(),
  nonce: z.string(),
  codeVerifier: z.string(),
  location: z.string().optional(),
  /** By the monotonic clock of this process, with which the seal ends as well. */
  endsMs: z.number(),
});
type Begun = Readonly<z.infer<typeof Begun>>;

/** Nothing is held here for a sign-in that has begun, so nobody fills the memory with them: the browser holds it. */
export function createBrowserSignIns(deps: {
  provider: Pick<Provider, 'authorizationUrl' | 'redeem'>;
  origin: string;
  clock: Clock;
}): BrowserSignIns {
  const { provider, origin, clock } = deps;
  const sealer = createSealer();
  const cookie = createCookie('muster-sign-in', origin);

  function readBegun(cookies: string | undefined): Begun | undefined {
    const text = sealer.open(cookie.read(cookies) ?? '');
    const begun = text === undefined ? undefined : Begun.parse(JSON.parse(text));
    return begun !== undefined && clock.monotonicMs() < begun.endsMs ? begun : undefined;
  }

  return {
    async begin(returnTo) {
      const location = returnTo === undefined ? undefined : toReturnAddress(returnTo, origin);
      const marks = { state: randomState(), nonce: randomNonce(), codeVerifier: randomPKCECodeVerifier() };
      const begun: Begun = { ...marks, location, endsMs: clock.monotonicMs() + LIFE_SECONDS * 1000 };
      return {
        location: await provider.authorizationUrl(marks),
        cookies: [cookie.set(sealer.seal(JSON.stringify(begun)), LIFE_SECONDS)],
      };
    },
    async finish({ query, cookies }) {
      const begun = readBegun(cookies);
      if (begun === undefined) {
        throw new MusterError('sign_in_failed', 'This browser has begun no sign-in, or too long ago');
      }
      const states = new URLSearchParams(query).getAll('state');
      if (states.length !== 1 || !isSame(states[0] ?? '', begun.state)) {
        throw new MusterError('sign_in_failed', 'This is the answer to another sign-in than the one that was begun');
      }
      const person = await provider.redeem(new URL(`${origin}${CALLBACK_PATH}?${query}`), begun);
      return { person, location: begun.location, cookies: [cookie.clear()] };
    },
  };
}

function isSame(one: string, other: string): boolean {
  return timingSafeEqual(Buffer.from(sha256Hex(one)), Buffer.from(sha256Hex(other)));
}
