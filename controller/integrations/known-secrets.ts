import { isMusterError } from '../../protocol/errors.js';
import type { Logger } from '../../runtime/logger.js';
import type { Secrets } from '../../runtime/masking/mask.js';
import { listIntegrations } from '../store/integrations.js';
import type { Store } from '../store/store.js';
import { contextOf, MAX_INTEGRATIONS } from './context.js';
import type { Vault } from './vault.js';

/** What is secret of one call, masked from here on wherever it comes back. */
export type KnownSecrets = Readonly<{
  all: () => readonly string[];
  add: (...values: string[]) => void;
  /** The call is over. Its newest tokens stay known: one may be valid for an hour, and what was asked with it may say so later. */
  end: () => void;
}>;

/** So many tokens of an integration stay known. */
const MAX_REMEMBERED = 16;

/** Begins with the credential of an integration. `call` tells it from every other call. */
export function knowSecrets(
  secrets: Secrets,
  of: Readonly<{ id: string; call: string; secret: string }>,
): KnownSecrets {
  const all = [of.secret];
  const source = `call ${of.call}`;
  secrets.register(credentialSource(of.id), [of.secret]);
  return {
    all: () => all,
    add(...values) {
      all.push(...values.filter((value) => !all.includes(value)));
      secrets.register(source, all);
    },
    end() {
      secrets.remember(`tokens ${of.id}`, all.slice(1), MAX_REMEMBERED);
      secrets.register(source, []);
    },
  };
}

/** Under which name the credential of an integration is registered. */
export function credentialSource(id: string): string {
  return `integration ${id}`;
}

/** Registers what is stored, before anything comes that may hold it. What does not open is told of when it is used. */
export async function registerCredentials({
  store,
  vault,
  secrets,
  org,
  log,
}: Readonly<{ store: Store; vault: Vault; secrets: Secrets; org: string; log: Logger }>): Promise<void> {
  for (const row of await listIntegrations(store.read, { org, limit: MAX_INTEGRATIONS })) {
    try {
      secrets.register(credentialSource(row.id), [vault.open(row.sealed, contextOf(row))]);
    } catch (err) {
      if (!isMusterError(err)) throw err;
      log.warn({ err, integration: row.name }, 'credential of an integration not opened, so it is not masked');
    }
  }
}
