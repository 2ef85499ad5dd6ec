import { setTimeout as delay } from 'node:timers/promises';
import type { ApiTokenCreated } from '../controller/http/people-schemas.js';
import { DevicePoll, DeviceSignIn } from '../controller/http/sign-in-schemas.js';
import { isMusterError, MusterError } from '../protocol/errors.js';
import { escapeText } from '../runtime/terminal-text.js';
import type { Client } from './client.js';
import type { Io } from './io.js';

const MAX_INTERVAL_SECONDS = 60;

/**
 * Signs in at the provider of the controller: shows where to confirm it and the code to type there, and waits until
 * somebody did (RFC 8628).
 * @throws {MusterError} sign_in_failed, forbidden, cancelled (the signal fired), and what the client throws
 */
export async function signInElsewhere(
  client: Client,
  io: Pick<Io, 'stderr'>,
  signal: AbortSignal,
): Promise<ApiTokenCreated> {
  const begun = await client.call(DeviceSignIn, { method: 'POST', path: '/auth/oidc/device', signal });
  io.stderr.write(invitation(begun));
  const endsMs = performance.now() + begun.expires_in * 1000;
  let intervalSeconds = begun.interval;
  while (performance.now() < endsMs) {
    await pause(intervalSeconds, signal);
    const said = await poll(client, begun.device_code, signal);
    if (said?.status === 'done') return said.token;
    intervalSeconds = Math.min(said?.interval ?? intervalSeconds * 2, MAX_INTERVAL_SECONDS);
  }
  throw new MusterError('sign_in_failed', 'The sign-in was not confirmed in time');
}

/** What the provider says is shown as text, and opened by nobody but the person. */
function invitation({ verification_uri, verification_uri_complete, user_code }: DeviceSignIn): string {
  const complete =
    verification_uri_complete === null ? '' : `or open ${escapeText(verification_uri_complete)}, where it stands,\n`;
  return `Open ${escapeText(verification_uri)} and enter the code ${escapeText(user_code)},\n${complete}to sign in. Waiting …\n`;
}

/** Undefined when nobody could answer just now, which may pass (RFC 8628, section 3.5). */
async function poll(client: Client, code: string, signal: AbortSignal): Promise<DevicePoll | undefined> {
  const body = { device_code: code };
  try {
    return await client.call(DevicePoll, { method: 'POST', path: '/auth/oidc/device/poll', body, signal });
  } catch (error) {
    const mayPass = ['sign_in_unavailable', 'rate_limited', 'unavailable', 'deadline_passed'] as const;
    if (mayPass.some((each) => isMusterError(error, each))) return undefined;
    throw error;
  }
}

async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(seconds * 1000, undefined, { signal });
  } catch (cause) {
    throw new MusterError('cancelled', 'Interrupted', { cause });
  }
}
