import type { CustomFetch } from 'openid-client';
import { readBounded } from '../../runtime/bounded-answer.js';

const MAX_ANSWER_BYTES = 256 * 1024;
/** Answers that have no body (RFC 9110, section 6.4.1). */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

/** How the provider is asked: its answers are read whole, and end at 256 KiB. Redirects are not followed. */
export const boundedFetch: CustomFetch = async (url, options) => {
  const answer = await fetch(url, { ...options, body: options.body ?? null, redirect: 'manual' });
  const text = await readBounded(answer, MAX_ANSWER_BYTES);
  if (text === undefined) throw new Error('the answer is larger than 256 KiB');
  const { status, headers } = answer;
  return new Response(BODILESS.has(status) ? null : text, { status, headers });
};
