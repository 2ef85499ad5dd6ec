import { MusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import { randomSecret } from '../identity/secrets.js';
import { createCookie } from './cookies.js';

/**
 * From the way back, which is an address that logs and histories keep, to the page that wants the token: a cookie names
 * who was signed in, and works once.
 */
export type HandOver = Readonly<{
  /** Gives the `Set-Cookie`. */
  offer: (user: string) => string;
  /** Takes back what was offered to a user who is not let in any more. */
  withdraw: (user: string) => void;
  /** The user, and the `Set-Cookie` that ends it. @throws {MusterError} sign_in_failed */
  take: (cookies: string | undefined) => Readonly<{ user: string; cookie: string }>;
}>;

const LIFE_SECONDS = 120;
/** Only people who have just signed in get one; beyond this the oldest have to do so again. */
const MAX_OFFERS = 1_000;

/** Held in memory: a restart of the controller ends them. */
export function createHandOver({ origin, clock }: { origin: string; clock: Clock }): HandOver {
  const cookie = createCookie('muster-signed-in', origin);
  const offers = new Map<string, Readonly<{ user: string; endsMs: number }>>();
  return {
    offer(user) {
      const nowMs = clock.monotonicMs();
      for (const [id, { endsMs }] of offers) if (nowMs >= endsMs) offers.delete(id);
      const [oldest] = offers.keys();
      if (offers.size >= MAX_OFFERS && oldest !== undefined) offers.delete(oldest);
      const id = randomSecret();
      offers.set(id, { user, endsMs: nowMs + LIFE_SECONDS * 1000 });
      return cookie.set(id, LIFE_SECONDS);
    },
    withdraw(user) {
      for (const [id, offered] of offers) if (offered.user === user) offers.delete(id);
    },
    take(cookies) {
      const id = cookie.read(cookies) ?? '';
      const offered = offers.get(id);
      offers.delete(id);
      if (offered !== undefined && clock.monotonicMs() < offered.endsMs) {
        return { user: offered.user, cookie: cookie.clear() };
      }
      throw new MusterError('sign_in_failed', 'No sign-in of this browser waits for its token');
    },
  };
}
