import type { ApiTokenCreated } from '../http/people-schemas.js';
import type { DevicePoll, DeviceSignIn } from '../http/sign-in-schemas.js';
import type { BROWSER, LOGIN } from '../identity/token-rows.js';

/** Where a browser goes next, and the cookies that it keeps or drops. */
export type Onward = Readonly<{ location: string; cookies: readonly string[] }>;

/** Who is signed in, for a browser that has nowhere to go. */
export type SignedIn = Readonly<{ user: string; role: string; cookies: readonly string[] }>;

/**
 * Sign-in by OpenID Connect. Each also throws {MusterError} sign_in_failed, sign_in_unavailable, rate_limited,
 * storage_failed.
 */
export type SignInService = Readonly<{
  /** To the provider. `returnTo` is a path of ours. @throws {MusterError} invalid_request */
  begin: (returnTo: string | undefined) => Promise<Onward>;
  /** Back from the provider: `query` as it came. @throws {MusterError} forbidden: the person is not let in */
  finish: (back: Readonly<{ query: string; cookies: string | undefined }>) => Promise<Onward | SignedIn>;
  /**
   * The token of the sign-in that this browser has just finished, once. `origin` is that of the page that asks, `name`
   * that of the token.
   * @throws {MusterError} forbidden: a page of somebody else
   */
  collect: (
    from: Readonly<{
      cookies: string | undefined;
      origin: string | undefined;
      name?: typeof LOGIN | typeof BROWSER;
    }>,
  ) => Promise<Readonly<{ token: ApiTokenCreated; cookies: readonly string[] }>>;
  /** @throws {MusterError} not_found: the provider offers no such thing */
  startDevice: () => Promise<DeviceSignIn>;
  /** @throws {MusterError} forbidden: the person is not let in */
  pollDevice: (code: string) => Promise<DevicePoll>;
}>;
