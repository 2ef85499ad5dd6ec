/** How long a POST waits for the outcome when the client does not say. */
export const DEFAULT_WAIT_SECONDS = 15;

/** No answer is held back longer than this. */
export const MAX_WAIT_SECONDS = 60;

/** What a client prefers, and the `Preference-Applied` header to answer with when it said so. */
export type WaitPreference = Readonly<{ seconds: number; applied: string | undefined }>;

const WAIT = /^wait\s*=\s*"?(\d{1,9})"?$/i;

/**
 * How long to wait, from a `Prefer` header (RFC 7240): the first `wait=N` counts, at most 60; `respond-async` alone is
 * 0. What cannot be read is ignored, as section 2 of the RFC asks.
 */
export function waitPreference(header: string | undefined, defaultSeconds: number): WaitPreference {
  let isAsync = false;
  for (const preference of (header ?? '').split(',')) {
    const name = (preference.split(';', 1)[0] ?? '').trim();
    const [, seconds] = WAIT.exec(name) ?? [];
    if (seconds !== undefined) {
      const granted = Math.min(Number(seconds), MAX_WAIT_SECONDS);
      return { seconds: granted, applied: `wait=${granted}` };
    }
    if (name.toLowerCase() === 'respond-async') isAsync = true;
  }
  return isAsync ? { seconds: 0, applied: 'respond-async' } : { seconds: defaultSeconds, applied: undefined };
}
