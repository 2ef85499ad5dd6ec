import { z } from 'zod';
import type { Credential, ProviderKind } from '../../http/integration-schemas.js';
import type { Upstream } from '../upstream.js';

/** When a token ends, as a provider says it, in milliseconds since 1970; undefined of what is no time. */
export const EndTime = z
  .unknown()
  .optional()
  .transform((said) => (typeof said === 'string' ? Date.parse(said) : Number.NaN))
  .transform((ms) => (Number.isNaN(ms) ? undefined : ms));

/** What a provider keeps: one secret, and what else it has to know. */
export type ProviderRecord = Readonly<{ secret: string; settings: Readonly<Record<string, string>> }>;

/** A token, and when it ends, in milliseconds since 1970, where the provider says so. */
export type ProviderToken = Readonly<{ token: string; expiresMs?: number | undefined }>;

/** What a provider works with. */
export type ProviderDeps = Readonly<{
  /** Asks a system below this address, with these headers, until the time of the action is over. */
  ask: (name: string, baseUrl: string, headers: Readonly<Record<string, string>>) => Upstream;
  nowMs: number;
}>;

/** Where tokens come from. */
export type Provider<K extends ProviderKind = ProviderKind> = Readonly<{
  /** What is stored of a credential. @throws {MusterError} invalid_request */
  recordOf: (credential: Extract<Credential, { provider: K }>) => ProviderRecord;
  /** The token of this moment. @throws {UpstreamFailure} */
  token: (record: ProviderRecord, deps: ProviderDeps) => Promise<ProviderToken>;
}>;
