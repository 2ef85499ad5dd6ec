import { MusterError } from '../../protocol/errors.js';

/**
 * The whole address of a path that a browser asked to come back to, on our own origin and on no other, whatever tricks
 * the path holds: what is compared is what a browser makes of it.
 * @throws {MusterError} invalid_request
 */
export function toReturnAddress(path: string, origin: string): string {
  const base = `${origin}/`;
  const url = path.startsWith('/') && URL.canParse(path, base) ? new URL(path, base) : undefined;
  if (url === undefined || url.origin !== origin) {
    throw new MusterError('invalid_request', 'return_to: must be a path of this controller that begins with /');
  }
  return url.href;
}
