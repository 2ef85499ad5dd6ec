/** The entity tag of a version (RFC 9110, section 8.8.3). */
export function etagOf(version: number): string {
  return `"${version}"`;
}

/** Whether an If-Match header names this version; weak tags never match (RFC 9110, section 13.1.1). */
export function isMatch(header: string, version: number): boolean {
  const tags = header.split(',').map((tag) => tag.trim());
  return tags.includes('*') || tags.includes(etagOf(version));
}

/**
 * Whether an If-None-Match header names this tag: what the client holds is still so. Weak tags are as good as strong ones
 * here (RFC 9110, section 13.1.2).
 */
export function isNoneMatch(header: string, tag: string): boolean {
  const tags = header.split(',').map((each) => each.trim().replace(/^W\//, ''));
  return tags.includes('*') || tags.includes(tag);
}
