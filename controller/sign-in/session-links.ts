import type { Clock } from '../../runtime/clock.js';
import { hashSecret, randomSecret } from '../identity/secrets.js';
import type { Principal } from '../services.js';

/** Links by which somebody who is signed in on the command line opens a browser that is, too. */
export type SessionLinks = Readonly<{
  /** A code for a session of theirs, and when it ends (milliseconds since 1970). */
  add: (principal: Principal) => Readonly<{ code: string; expiresMs: number }>;
  /** Who made the link, once; undefined for a code that is none, or none any more. */
  take: (code: string) => Principal | undefined;
}>;

const LIFE_MS = 120_000;
/** Of one user; beyond this their oldest ends. */
const MAX_LINKS = 10;

/** Held in memory, by the hash of the code: a restart of the controller ends them. */
export function createSessionLinks(clock: Clock): SessionLinks {
  const links = new Map<string, Readonly<{ principal: Principal; endsMs: number }>>();

  function makeRoom({ org, id }: Principal, nowMs: number): void {
    for (const [hash, { endsMs }] of links) if (nowMs >= endsMs) links.delete(hash);
    const own = [...links].filter(([, { principal }]) => principal.org === org && principal.id === id);
    const [oldest] = own;
    if (own.length >= MAX_LINKS && oldest !== undefined) links.delete(oldest[0]);
  }

  return {
    add(principal) {
      const nowMs = clock.monotonicMs();
      makeRoom(principal, nowMs);
      const code = randomSecret();
      links.set(hashSecret(code), { principal, endsMs: nowMs + LIFE_MS });
      return { code, expiresMs: clock.nowMs() + LIFE_MS };
    },
    take(code) {
      const hash = hashSecret(code);
      const link = links.get(hash);
      links.delete(hash); // at once: of two that come together one finds nothing
      return link !== undefined && clock.monotonicMs() < link.endsMs ? link.principal : undefined;
    },
  };
}
