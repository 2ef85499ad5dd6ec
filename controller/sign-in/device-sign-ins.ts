import { isMusterError, MusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { DeviceSignIn } from '../http/sign-in-schemas.js';
import { randomSecret } from '../identity/secrets.js';
import type { Person } from './claims.js';
import type { Provider } from './provider.js';

/** Sign-ins that programs wait for while a person confirms them elsewhere (RFC 8628). */
export type DeviceSignIns = Readonly<{
  /** @throws {MusterError} rate_limited; and what {@link Provider} throws */
  start: () => Promise<DeviceSignIn>;
  /** The person, once; or the seconds to wait before the next poll. @throws {MusterError} sign_in_failed, and as above */
  poll: (code: string) => Promise<Person | Readonly<{ intervalSeconds: number }>>;
}>;

type Open = {
  readonly deviceCode: string;
  readonly endsMs: number;
  intervalMs: number;
  /** Not before then is the provider asked. */
  dueMs: number;
  /** When somebody polled for the last time. */
  seenMs: number;
};

const MAX_OPEN = 200;
/** Who does not poll for so long has gone, and gives the place to others. */
const GONE_MS = 90_000;
/** RFC 8628, section 3.5: who polls too early waits 5 s longer from then on. */
const SLOWER_MS = 5_000;
const MAX_INTERVAL_MS = 60_000;

/** They are held in memory, by a code that nobody guesses: a restart of the controller ends them. */
export function createDeviceSignIns({
  provider,
  clock,
}: {
  provider: Pick<Provider, 'startDevice' | 'askDevice'>;
  clock: Clock;
}): DeviceSignIns {
  const open = new Map<string, Open>();

  function forgetGone(nowMs: number): void {
    for (const [code, { endsMs, seenMs }] of open) {
      if (nowMs >= endsMs || nowMs - seenMs >= GONE_MS) open.delete(code);
    }
  }

  return {
    async start() {
      forgetGone(clock.monotonicMs());
      if (open.size >= MAX_OPEN) throw new MusterError('rate_limited', 'Too many sign-ins wait to be confirmed');
      const begun = await provider.startDevice();
      const code = randomSecret();
      const nowMs = clock.monotonicMs();
      const intervalMs = Math.min(begun.intervalSeconds * 1000, MAX_INTERVAL_MS);
      const endsMs = nowMs + begun.lifeSeconds * 1000;
      open.set(code, { deviceCode: begun.deviceCode, endsMs, intervalMs, dueMs: nowMs, seenMs: nowMs });
      return {
        device_code: code,
        user_code: begun.userCode,
        verification_uri: begun.verificationUri,
        verification_uri_complete: begun.verificationUriComplete ?? null,
        expires_in: Math.floor(begun.lifeSeconds),
        interval: toSeconds(intervalMs),
      };
    },
    async poll(code) {
      const nowMs = clock.monotonicMs();
      const one = open.get(code);
      if (one === undefined || nowMs >= one.endsMs) {
        open.delete(code);
        throw new MusterError('sign_in_failed', 'The sign-in was not confirmed in time, or was never begun');
      }
      one.seenMs = nowMs;
      if (nowMs < one.dueMs) return slower(one, nowMs);
      one.dueMs = nowMs + one.intervalMs; // before the wait: a second poll meanwhile asks nobody
      const said = await provider.askDevice(one.deviceCode).catch((error: unknown) => {
        if (isMusterError(error, 'sign_in_failed')) open.delete(code);
        throw error;
      });
      if (said === 'pending') return { intervalSeconds: toSeconds(one.intervalMs) };
      if (said === 'slow_down') return slower(one, nowMs);
      open.delete(code);
      return said;
    },
  };
}

function slower(one: Open, nowMs: number): { intervalSeconds: number } {
  one.intervalMs = Math.min(one.intervalMs + SLOWER_MS, MAX_INTERVAL_MS);
  one.dueMs = nowMs + one.intervalMs;
  return { intervalSeconds: toSeconds(one.intervalMs) };
}

function toSeconds(ms: number): number {
  return Math.ceil(ms / 1000);
}
