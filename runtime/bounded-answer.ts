/**
 * The text of an HTTP answer; undefined when it is larger than `maxBytes`, and then it is not read to its end.
 * @throws {Error} whatever the connection ends with
 */
export async function readBounded({ body }: Response, maxBytes: number): Promise<string | undefined> {
  if (body === null) return '';
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body) {
    bytes += part.length;
    if (bytes > maxBytes) return undefined; // leaving the loop ends the connection
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
