import type { TestContext } from 'node:test';
import fc from 'fast-check';

/**
 * Runs a property so many times. The seed is another one each time and is printed with the test; MUSTER_FUZZ_SEED
 * repeats a run.
 */
export async function fuzzed<T>(
  t: TestContext,
  runs: number,
  property: fc.IAsyncProperty<T> | fc.IProperty<T>,
): Promise<void> {
  const given = Number(process.env.MUSTER_FUZZ_SEED ?? Number.NaN);
  const seed = Number.isSafeInteger(given) ? given : Math.floor(Math.random() * 2 ** 31);
  t.diagnostic(`seed ${seed}, ${runs} runs`);
  await fc.assert(property, { seed, numRuns: runs, endOnFailure: true });
}
