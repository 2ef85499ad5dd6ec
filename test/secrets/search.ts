/** So many octets on either side of a value may share a group of three with it, in Base64. */
const GROUPS = ['', 'x', 'xx'] as const;

/** Whether a value stands in there in any form, also within a JWS. Knows nothing of how Muster masks. */
export function isFound(value: string, octets: Buffer): boolean {
  const text = octets.toString('latin1');
  const forms = formsOf(value);
  if (forms.some((form) => text.includes(form))) return true;
  for (const [, payload = ''] of text.matchAll(/\.([A-Za-z0-9_-]{16,})(?=\.)/g)) {
    const inner = Buffer.from(payload, 'base64url').toString('latin1');
    if (forms.some((form) => inner.includes(form))) return true;
  }
  return false;
}

/** A value as it is, in JSON (also twice, and in ASCII alone), in URLs, in hex, in Base64. */
function formsOf(value: string): string[] {
  const octets = Buffer.from(value);
  const json = JSON.stringify(value).slice(1, -1);
  const url = encodeURIComponent(value);
  const base64 = GROUPS.map((before) => {
    const whole = Buffer.from(`${before}${value}`).toString('base64');
    return whole.slice(before === '' ? 0 : 4, Math.floor(((before.length + octets.length) * 4) / 3 / 4) * 4);
  });
  return [
    ...[octets.toString('latin1'), json, JSON.stringify(json).slice(1, -1)],
    ...[json.replaceAll('<', '\\u003c').replaceAll('>', '\\u003e').replaceAll('&', '\\u0026')],
    ...[url, url.toLowerCase(), new URLSearchParams({ '': value }).toString().slice(1)],
    ...[octets.toString('hex'), octets.toString('hex').toUpperCase()],
    ...base64.flatMap((form) => [form, form.replaceAll('+', '-').replaceAll('/', '_')]),
  ];
}
