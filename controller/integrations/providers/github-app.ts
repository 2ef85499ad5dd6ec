import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { z } from 'zod';
import { encodeBase64Url } from '../../../protocol/base64url.js';
import { MusterError } from '../../../protocol/errors.js';
import { path } from '../path.js';
import { UpstreamFailure } from '../upstream-failure.js';
import { EndTime, type Provider } from './provider.js';

const Settings = z.object({ base_url: z.string(), app_id: z.string(), installation_id: z.string() });
const AccessToken = z
  .object({ token: z.string().min(1), expires_at: EndTime })
  .transform(({ token, expires_at: expiresMs }) => ({ token, expiresMs }));

/** GitHub takes at most 10 minutes from now; a minute is for clocks that differ. */
const LIFE_SECONDS = 540;
const SKEW_SECONDS = 60;
const MIN_BITS = 2048;

/** A token of an hour for one installation of a GitHub App. */
export const GITHUB_APP: Provider<'github_app'> = {
  recordOf({ private_key, base_url, app_id, installation_id }) {
    readKey(private_key);
    return { secret: private_key, settings: { base_url, app_id, installation_id } };
  },
  async token({ secret, settings }, { ask, nowMs }) {
    const { base_url, app_id, installation_id } = Settings.parse(settings);
    const via = ask('github', base_url, { authorization: `Bearer ${signAppToken(readKey(secret), app_id, nowMs)}` });
    const address = path`/app/installations/${installation_id}/access_tokens`;
    const parsed = AccessToken.safeParse(await via({ method: 'POST', path: address, body: {}, isSafe: true }));
    if (parsed.success) return parsed.data;
    throw new UpstreamFailure('integration_failed', 'github answered without a token');
  },
};

/** What the app proves itself with: a JWT, RS256 (RFC 7519, RFC 7518 section 3.3). */
export function signAppToken(key: KeyObject, appId: string, nowMs: number): string {
  const now = Math.floor(nowMs / 1000);
  const parts = [
    { alg: 'RS256', typ: 'JWT' },
    { iat: now - SKEW_SECONDS, exp: now + LIFE_SECONDS, iss: appId },
  ];
  const signed = parts.map((part) => encodeBase64Url(JSON.stringify(part))).join('.');
  return `${signed}.${encodeBase64Url(sign('sha256', Buffer.from(signed), key))}`;
}

/** @throws {MusterError} invalid_request */
function readKey(pem: string): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = createPrivateKey(pem);
  } catch {
    key = undefined; // what the parser says may quote the key
  }
  const isRsa = key?.asymmetricKeyType === 'rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_BITS;
  if (key !== undefined && isRsa) return key;
  throw new MusterError('invalid_request', `private_key: must be an RSA key of ${MIN_BITS} bits or more, as PEM`);
}
