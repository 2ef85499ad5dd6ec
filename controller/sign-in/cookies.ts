/** A cookie of ours, read by no script. */
export type Cookie = Readonly<{
  /** The `Set-Cookie` of a new value. */
  set: (value: string, lifeSeconds: number) => string;
  /** The `Set-Cookie` that takes it away. */
  clear: () => string;
  /** Its value in a `Cookie` header; undefined when it is not there, or there more than once: one of those is not ours. */
  read: (header: string | undefined) => string | undefined;
}>;

/** Lax: it comes with a link of another site that is followed. Strict: with no request that another site has begun. */
export type SameSite = 'Lax' | 'Strict';

/**
 * The blanks of HTTP alone. `trim` takes away others, too, and then a name that browsers let any neighbour set, since it
 * does not begin with `__Host-`, would pass for one that they do not.
 */
const LEADING_BLANKS = /^[ \t]+/;

/** With https it is bound to this very host (`__Host-`); plain HTTP, which is for this machine alone, has no such thing. */
export function createCookie(name: string, origin: string, sameSite: SameSite = 'Lax'): Cookie {
  const isSecure = origin.startsWith('https:');
  const full = isSecure ? `__Host-${name}` : name;
  const attributes = `Path=/; HttpOnly; SameSite=${sameSite}${isSecure ? '; Secure' : ''}`;
  return {
    set: (value, lifeSeconds) => `${full}=${value}; Max-Age=${lifeSeconds}; ${attributes}`,
    clear: () => `${full}=; Max-Age=0; ${attributes}`,
    read(header = '') {
      const pairs = header.split(';').map((pair) => pair.replace(LEADING_BLANKS, ''));
      const [pair, ...others] = pairs.filter((each) => each.startsWith(`${full}=`));
      return pair === undefined || others.length > 0 ? undefined : pair.slice(full.length + 1);
    },
  };
}
