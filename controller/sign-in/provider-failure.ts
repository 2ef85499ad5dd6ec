import { AuthorizationResponseError, ClientError, ResponseBodyError } from 'openid-client';
import { MusterError } from '../../protocol/errors.js';

/** What the person or the provider decided, by its code (RFC 6749, section 4.1.2.1 and 5.2; RFC 8628, section 3.5). */
const DECISIONS: ReadonlyMap<string, string> = new Map([
  ['access_denied', 'The sign-in was denied at the provider'],
  ['expired_token', 'The sign-in was not confirmed in time'],
  ['invalid_grant', 'The code of the provider was used already, or has run out'],
]);

/** What the provider said does not hold: another signature, issuer, audience, nonce, subject or time than it must have. */
const UNBELIEVABLE: ReadonlySet<string> = new Set([
  'OAUTH_INVALID_RESPONSE',
  'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
  'OAUTH_JWT_TIMESTAMP_CHECK_FAILED',
  'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED',
  'OAUTH_KEY_SELECTION_FAILED',
]);

/** A code as the standards spell it; other text of a provider is repeated nowhere. */
const CODE = /^[a-z_]{1,64}$/;

/** A failure of the library while somebody is signed in, as one of ours. */
export function toSignInFailure(error: unknown): MusterError {
  if (error instanceof MusterError) return error;
  if (error instanceof AuthorizationResponseError || error instanceof ResponseBodyError) {
    const said = DECISIONS.get(error.error);
    if (said !== undefined) return new MusterError('sign_in_failed', said);
  }
  if (error instanceof AuthorizationResponseError) {
    return new MusterError('sign_in_failed', `The provider did not sign anybody in (${codeOf(error.error)})`);
  }
  if (error instanceof ClientError && UNBELIEVABLE.has(error.code ?? '')) {
    return new MusterError('sign_in_failed', 'What the provider answered cannot be believed');
  }
  return toUnavailable(error);
}

/**
 * The same where no person is concerned yet. The library's own error is never kept as the cause: it may hold tokens and
 * whole answers.
 */
export function toUnavailable(error: unknown): MusterError {
  if (error instanceof MusterError) return error;
  if (error instanceof ResponseBodyError) {
    return new MusterError('sign_in_unavailable', `The provider refuses the controller (${codeOf(error.error)})`);
  }
  const reason = (error instanceof ClientError ? error.code : undefined) ?? 'no answer';
  return new MusterError('sign_in_unavailable', `The provider does not answer as it should (${reason})`);
}

function codeOf(said: string): string {
  return CODE.test(said) ? said : 'no known code';
}
