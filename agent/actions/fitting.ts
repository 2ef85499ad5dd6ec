/** So much of a list as fits into this many bytes of JSON, and how many it had more. */
export function fitting<T>(list: readonly T[], maxBytes: number): { fits: T[]; leftOut: number } {
  let roomBytes = maxBytes;
  const at = list.findIndex((each) => {
    roomBytes -= Buffer.byteLength(JSON.stringify(each)) + 1;
    return roomBytes < 0;
  });
  const fits = at === -1 ? [...list] : list.slice(0, at);
  return { fits, leftOut: list.length - fits.length };
}
