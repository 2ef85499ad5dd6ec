/** This much of a file says what it is; Linux reads no more of a `#!` line. */
export const HEAD_BYTES = 256;

const BYTE_ORDER_MARK = Buffer.from('\ufeff');

/**
 * Why the kernel cannot start a file of these bytes, said of "it"; undefined when nothing speaks against it. A text
 * without `#!` would be handed to a shell by the C library, and nobody asked for one.
 */
export function startFault(content: Buffer): string | undefined {
  const head = content.subarray(0, HEAD_BYTES);
  if (head.indexOf('#!') === 0) {
    const end = head.indexOf('\n');
    const isCrLf = end > 0 && head[end - 1] === 0x0d;
    return isCrLf ? 'its first line ends in CR LF: save it with LF line ends' : undefined;
  }
  if (head.indexOf(BYTE_ORDER_MARK) === 0) return 'it begins with a byte order mark: save it as UTF-8 without one';
  return head.includes(0) ? undefined : 'its first line does not begin with #!, so nothing says what runs it';
}
