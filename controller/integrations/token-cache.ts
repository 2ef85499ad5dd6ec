import type { Clock } from '../../runtime/clock.js';
import type { IntegrationRow } from '../store/integrations.js';
import type { ProviderToken } from './providers/provider.js';

/** Tokens that a provider gave, each until shortly before its end. In memory alone, and bounded. */
export type TokenCache = Readonly<{
  /** What is held for this integration and its credential; else what `fetch` gives, which is held then if it says when it ends. */
  get: (row: Pick<IntegrationRow, 'id' | 'sealed'>, fetch: () => Promise<ProviderToken>) => Promise<string>;
  /** Forgets it: it was refused, or is to be fetched anew. */
  drop: (integration: string) => void;
}>;

/** A token is not used in the last minute before its end: the call has to be over by then, and clocks differ. */
const MARGIN_MS = 60_000;
/** However long it says that it lives: what is taken back at the provider ends here, too. */
const MAX_HELD_MS = 3_600_000;
const MOST = 256;

type Held = Readonly<{ sealed: string; token: string; untilMs: number }>;

/** Times are by the monotonic clock once a token is here, so that a clock that is set prolongs none. */
export function createTokenCache(clock: Clock): TokenCache {
  const held = new Map<string, Held>();
  return {
    async get({ id, sealed }, fetch) {
      const known = held.get(id);
      if (known?.sealed === sealed && known.untilMs > clock.monotonicMs()) return known.token;
      held.delete(id);
      const { token, expiresMs } = await fetch();
      const lifeMs = expiresMs === undefined ? 0 : Math.min(expiresMs - clock.nowMs() - MARGIN_MS, MAX_HELD_MS);
      if (lifeMs > 0) held.set(id, { sealed, token, untilMs: clock.monotonicMs() + lifeMs });
      const oldest = held.size > MOST ? held.keys().next().value : undefined;
      if (oldest !== undefined) held.delete(oldest);
      return token;
    },
    drop: (integration) => void held.delete(integration),
  };
}
