import { isDeepStrictEqual } from 'node:util';
import { REDACTED } from '../../runtime/masking/stream.js';
import type { StoredResult } from '../ingest/reported-result.js';

/** Whether the one text is the other but for what stands behind its marks; a copy that was too long may lack its end. */
export function isMaskedCopy(copy: string, original: string): boolean {
  if (copy === original) return true;
  const parts = copy.split(REDACTED);
  if (parts.length === 1) return false;
  let at = 0;
  for (const [index, part] of parts.entries()) {
    const found = index === 0 ? 0 : original.indexOf(part, at);
    if (found < 0 || !original.startsWith(part, found)) return false;
    at = found + part.length;
  }
  const last = parts.at(-1) ?? '';
  return last === '' || original.endsWith(last) || copy.length >= original.length;
}

/** Whether a masked copy says of the execution what the node has signed. */
export function isMaskedResult(copy: StoredResult, original: StoredResult): boolean {
  const [shown, signed] = [splitTexts(copy), splitTexts(original)];
  return (
    isDeepStrictEqual(shown.rest, signed.rest) &&
    shown.texts.length === signed.texts.length &&
    shown.texts.every((text, index) => isMaskedCopy(text, signed.texts[index] ?? ''))
  );
}

/** What may be masked in a result, and the rest. */
function splitTexts(result: StoredResult): { texts: string[]; rest: unknown } {
  const { stdout, stderr, error = '', violation, triggered_by, parameters, ...rest } = result;
  const texts = [
    inlineText(stdout, rest.stdout_encoding),
    inlineText(stderr, rest.stderr_encoding),
    error,
    ...[violation, triggered_by, parameters].flatMap((each) => Object.values(each ?? {}).map(String)),
  ];
  return { texts, rest };
}

function inlineText(data: string, encoding: string): string {
  return encoding === 'base64' ? Buffer.from(data, 'base64').toString('latin1') : data;
}
