/** A cookie of ours: read by no script, sent with no request of another site but a link that is followed. */
export type Cookie = Readonly<{
  /** The `Set-Cookie` of a new value. */
  set: (value: string, lifeSeconds: number) => string;
  /** The `Set-Cookie` that takes it away. */
  clear: () => string;
  /** Its value in a `Cookie` header; undefined when it is not there. */
  read: (header: string | undefined) => string | undefined;
}>;

/** With https it is bound to this very host (`__Host-`); plain HTTP, which is for this machine alone, has no such thing. */
export function createCookie(name: string, origin: string): Cookie {
  const isSecure = origin.startsWith('https:');
  const full = isSecure ? `__Host-${name}` : name;
  const attributes = `Path=/; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
  return {
    set: (value, lifeSeconds) => `${full}=${value}; Max-Age=${lifeSeconds}; ${attributes}`,
    clear: () => `${full}=; Max-Age=0; ${attributes}`,
    read(header = '') {
      const found = header.split(';').find((pair) => pair.trim().startsWith(`${full}=`));
      return found?.slice(found.indexOf('=') + 1).trim();
    },
  };
}
