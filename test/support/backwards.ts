import type { TestScope } from './broker.js';

/** A scope that closes last what was opened first, for what lies on a disk that goes away with the test. */
export function backwards(t: TestScope): TestScope {
  const ends: (() => unknown)[] = [];
  t.after(async () => {
    for (const end of ends) await end();
  });
  return { after: (end) => void ends.unshift(end) };
}
