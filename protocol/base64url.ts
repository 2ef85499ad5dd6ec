const ALPHABET = /^[A-Za-z0-9_-]*$/;

/**
 * The bytes of canonical base64url without padding (RFC 4648, section 5); undefined for any other spelling.
 * Node's own decoder accepts several spellings of the same bytes, which would give one signature many texts.
 */
export function decodeBase64Url(text: string): Buffer | undefined {
  if (text.length % 4 === 1 || !ALPHABET.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64url');
  const tail = text.length % 4;
  if (tail === 0) return bytes;
  return bytes.subarray(bytes.length - (tail - 1)).toString('base64url') === text.slice(-tail) ? bytes : undefined;
}

/** Base64url without padding. */
export function encodeBase64Url(bytes: Uint8Array | string): string {
  return Buffer.from(bytes).toString('base64url');
}
