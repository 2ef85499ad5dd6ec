import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { isMusterError, MusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Secrets } from '../../runtime/masking/mask.js';
import { redactValue } from '../events/redact.js';
import { IntegrationView } from '../http/integration-schemas.js';
import type { IntegrationRow } from '../store/integrations.js';
import type { Adapter, Adapters } from './adapter.js';
import { contextOf } from './context.js';
import { knowSecrets } from './known-secrets.js';
import { tokenFrom } from './providers/list.js';
import type { TokenCache } from './token-cache.js';
import { createUpstream, type Upstream } from './upstream.js';
import { UpstreamFailure } from './upstream-failure.js';
import type { Vault } from './vault.js';

export type CallDeps = Readonly<{
  adapters: Adapters;
  vault: Vault;
  secrets: Secrets;
  tokens: TokenCache;
  clock: Clock;
}>;

const ProviderKind = IntegrationView.shape.provider;
const Settings = z.record(z.string(), z.string());
const SECRET_HEADER = /auth|cookie|key|password|secret|session|token/;
/** What a header can hold. */
const TOKEN = /^[\x21-\x7e]{1,8192}$/;

/**
 * Does something at the system behind an integration, with a token of this moment. What it gives, and what it
 * throws, holds no secret: neither what is one by its name nor the credential itself.
 * @throws {UpstreamFailure}; {MusterError} integration_gone, unsafe_key, and what `work` throws
 */
export async function callIntegration(
  { adapters, vault, secrets, tokens, clock }: CallDeps,
  row: IntegrationRow,
  { signal, work }: { signal: AbortSignal; work: (adapter: Adapter, via: Upstream) => Promise<unknown> },
): Promise<unknown> {
  const adapter = adapters.get(row.adapter);
  if (adapter === undefined) throw new MusterError('integration_gone', 'Integration no longer available');
  const secret = vault.open(row.sealed, contextOf(row));
  const known = knowSecrets(secrets, { id: row.id, call: randomUUID(), secret });
  const { text: scrub } = secrets.mask;
  try {
    const ask = (name: string, baseUrl: string, headers: Readonly<Record<string, string>>): Upstream => {
      known.add(...secretsIn(headers, known.all()));
      return createUpstream({ name, baseUrl, headers, signal, scrub });
    };
    const provider = ProviderKind.parse(row.provider);
    const settings = Settings.parse(JSON.parse(row.settings));
    const token = await tokens.get(row, () => tokenFrom(provider, { secret, settings }, { ask, nowMs: clock.nowMs() }));
    known.add(token);
    if (!TOKEN.test(token)) throw new UpstreamFailure('integration_failed', `${provider} gave what is no token`);
    const via = ask(row.name, row.base_url, adapter.headersFor(token));
    // Before the adapter sees it, which may cut it, and after, since the adapter may have given it other names.
    return redactValue(await work(adapter, async (each) => redactValue(await via(each), scrub)), scrub);
  } catch (error) {
    if (error instanceof UpstreamFailure && error.status === 401) tokens.drop(row.id);
    throw withoutSecrets(error, scrub);
  } finally {
    known.end();
  }
}

/** What of the headers is a secret: by its name, or since one is in it. Dates and media types stay readable in answers. */
function secretsIn(headers: Readonly<Record<string, string>>, known: readonly string[]): string[] {
  return Object.entries(headers)
    .filter(([name, value]) => SECRET_HEADER.test(name) || known.some((secret) => value.includes(secret)))
    .map(([, value]) => value.replace(/^Bearer /, ''));
}

/** The same failure in words that hold no secret; what caused it may, and is left out. */
function withoutSecrets(error: unknown, scrub: (text: string) => string): unknown {
  if (error instanceof UpstreamFailure) {
    const { code, message, status } = error;
    const isUnknown = code === 'outcome_unknown';
    return new UpstreamFailure(isUnknown ? code : 'integration_failed', scrub(message), { ...(status && { status }) });
  }
  if (isMusterError(error)) return new MusterError(error.code, scrub(error.message));
  const { message, stack = '' } = error instanceof Error ? error : new Error(String(error));
  return Object.assign(new Error(scrub(message)), { stack: scrub(stack) });
}
