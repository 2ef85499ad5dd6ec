import type { Credential, ProviderKind } from '../../http/integration-schemas.js';
import { GITHUB_APP } from './github-app.js';
import { NANGO } from './nango.js';
import type { ProviderDeps, ProviderRecord, ProviderToken } from './provider.js';
import { STORED } from './stored.js';

/** Every provider of tokens by its name. */
const PROVIDERS = { stored: STORED, nango: NANGO, github_app: GITHUB_APP } as const;

/** What is stored of a credential. @throws {MusterError} invalid_request */
export function recordOf(credential: Credential): ProviderRecord {
  switch (credential.provider) {
    case 'stored':
      return PROVIDERS.stored.recordOf(credential);
    case 'nango':
      return PROVIDERS.nango.recordOf(credential);
    case 'github_app':
      return PROVIDERS.github_app.recordOf(credential);
  }
}

/** The token of this moment. @throws {UpstreamFailure} */
export function tokenFrom(provider: ProviderKind, record: ProviderRecord, deps: ProviderDeps): Promise<ProviderToken> {
  return PROVIDERS[provider].token(record, deps);
}
