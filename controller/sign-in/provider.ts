import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  type Configuration,
  calculatePKCECodeChallenge,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
  genericGrantRequest,
  initiateDeviceAuthorization,
  None,
  ResponseBodyError,
  type TokenEndpointResponse,
  type TokenEndpointResponseHelpers,
} from 'openid-client';
import { z } from 'zod';
import { MusterError } from '../../protocol/errors.js';
import { withDeadline } from '../../runtime/deadline.js';
import { boundedFetch } from './bounded-fetch.js';
import { type Person, personOf } from './claims.js';
import { toSignInFailure, toUnavailable } from './provider-failure.js';
import type { Oidc } from './settings.js';

/** What one sign-in in a browser is known by; each is random and long. */
export type Marks = Readonly<{ state: string; nonce: string; codeVerifier: string }>;

/** A sign-in that somebody confirms elsewhere (RFC 8628, section 3.2). */
export type DeviceStart = Readonly<{
  deviceCode: string;
  userCode: string;
  verificationUri: string;
  verificationUriComplete: string | undefined;
  lifeSeconds: number;
  intervalSeconds: number;
}>;

/** The OpenID Connect provider. Each call ends within 30 s. @throws {MusterError} sign_in_failed, sign_in_unavailable */
export type Provider = Readonly<{
  /** Where a browser has to go. */
  authorizationUrl: (marks: Marks) => Promise<string>;
  /** Who came back; `callback` is the address, whole. */
  redeem: (callback: URL, marks: Marks) => Promise<Person>;
  /** Also @throws {MusterError} not_found: it does not offer that */
  startDevice: () => Promise<DeviceStart>;
  /** Whether it was confirmed. */
  askDevice: (deviceCode: string) => Promise<Person | 'pending' | 'slow_down'>;
}>;

type Tokens = TokenEndpointResponse & TokenEndpointResponseHelpers;

const REQUEST_SECONDS = 10;
/** A sign-in asks up to three times: for the tokens, the keys and the user info. */
const CALL_MS = 30_000;
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const MAX_DEVICE_SECONDS = 900;
const USUAL_INTERVAL_SECONDS = 5;

const DeviceAnswer = z.object({
  device_code: z.string().min(1).max(4096),
  user_code: z.string().regex(/^[\x21-\x7e]([\x20-\x7e]{0,62}[\x21-\x7e])?$/),
  verification_uri: z.url({ protocol: /^https?$/ }).max(2048),
  verification_uri_complete: z
    .url({ protocol: /^https?$/ })
    .max(2048)
    .optional(),
  expires_in: z.number().positive(),
  interval: z.number().positive().optional(),
});

/**
 * Nothing is asked before the first sign-in; what the provider says of itself is then kept until the process ends. Each
 * request to it has `requestSeconds`.
 */
export function createProvider(
  oidc: Oidc,
  { requestSeconds = REQUEST_SECONDS }: Readonly<{ requestSeconds?: number }> = {},
): Provider {
  const redirectUri = `${oidc.publicOrigin}${CALLBACK_PATH}`;
  let known: Promise<Configuration> | undefined;

  function configuration(): Promise<Configuration> {
    known ??= discover(oidc, requestSeconds).catch((error: unknown) => {
      known = undefined; // the next sign-in tries again
      throw toUnavailable(error);
    });
    return known;
  }

  async function personIn(config: Configuration, tokens: Tokens): Promise<Person> {
    const claims = tokens.claims();
    if (claims === undefined) throw new MusterError('sign_in_failed', 'The provider gave no id token');
    return personOf({ ...claims }, oidc.groups_claim, async (subject) => {
      if (config.serverMetadata().userinfo_endpoint === undefined) return {};
      return fetchUserInfo(config, tokens.access_token, subject);
    });
  }

  return {
    authorizationUrl: (marks) =>
      call(async () => {
        const { href } = buildAuthorizationUrl(await configuration(), {
          redirect_uri: redirectUri,
          scope: oidc.scopes.join(' '),
          state: marks.state,
          nonce: marks.nonce,
          code_challenge: await calculatePKCECodeChallenge(marks.codeVerifier),
          code_challenge_method: 'S256',
        });
        return href;
      }),
    redeem: (callback, { state, nonce, codeVerifier }) =>
      call(async () => {
        const config = await configuration();
        const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: codeVerifier };
        return personIn(config, await authorizationCodeGrant(config, callback, { ...checks, idTokenExpected: true }));
      }),
    startDevice: () =>
      call(async () => {
        const config = await configuration();
        if (config.serverMetadata().device_authorization_endpoint === undefined) {
          throw new MusterError('not_found', 'The provider offers no sign-in for programs without a browser');
        }
        return toDeviceStart(await initiateDeviceAuthorization(config, { scope: oidc.scopes.join(' ') }));
      }, toUnavailable),
    askDevice: (deviceCode) =>
      call(async () => {
        const config = await configuration();
        try {
          return await personIn(config, await genericGrantRequest(config, DEVICE_GRANT, { device_code: deviceCode }));
        } catch (error) {
          const said = error instanceof ResponseBodyError ? error.error : undefined;
          if (said === 'authorization_pending') return 'pending';
          if (said === 'slow_down') return 'slow_down';
          throw error;
        }
      }),
  };
}

/** Below the public origin: where a provider sends browsers back to. */
export const CALLBACK_PATH = '/api/v1/auth/oidc/callback';

function discover({ issuer, client_id, clientSecret }: Oidc, requestSeconds: number): Promise<Configuration> {
  const isPlain = issuer.startsWith('http:');
  return discovery(new URL(issuer), client_id, undefined, authentication(clientSecret), {
    // Signatures are checked also where TLS would do, and plain HTTP is for this machine alone.
    execute: [enableNonRepudiationChecks, ...(isPlain ? [allowInsecureRequests] : [])],
    timeout: requestSeconds,
    [customFetch]: boundedFetch,
  });
}

/** As the provider takes it; Basic is what every one has to (OpenID Connect Core 1.0, section 9). */
function authentication(secret: string | undefined): ClientAuth {
  if (secret === undefined) return None();
  const basic = ClientSecretBasic(secret);
  const post = ClientSecretPost(secret);
  return (server, ...rest) => {
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    return methods.includes('client_secret_basic') ? basic(server, ...rest) : post(server, ...rest);
  };
}

/** @throws {MusterError} sign_in_unavailable: it cannot be shown to a person */
function toDeviceStart(answer: unknown): DeviceStart {
  const parsed = DeviceAnswer.safeParse(answer);
  if (!parsed.success) throw new MusterError('sign_in_unavailable', 'The provider gives no address or no code to show');
  const { device_code: deviceCode, user_code: userCode, verification_uri: verificationUri, ...rest } = parsed.data;
  return {
    ...{ deviceCode, userCode, verificationUri, verificationUriComplete: rest.verification_uri_complete },
    lifeSeconds: Math.min(rest.expires_in, MAX_DEVICE_SECONDS),
    intervalSeconds: Math.max(1, rest.interval ?? USUAL_INTERVAL_SECONDS),
  };
}

async function call<T>(work: () => Promise<T>, toFailure = toSignInFailure): Promise<T> {
  try {
    return await withDeadline(work(), CALL_MS, 'the provider');
  } catch (error) {
    if (error instanceof MusterError && error.code === 'deadline_passed') {
      throw new MusterError('sign_in_unavailable', 'The provider takes too long');
    }
    throw toFailure(error);
  }
}
