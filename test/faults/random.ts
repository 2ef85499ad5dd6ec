import { createHash } from 'node:crypto';

/** Numbers from 0 to below 1 that follow from the seed alone. */
export function seededRandom(seed: string): () => number {
  let count = 0;
  return () => {
    count += 1;
    return createHash('sha256').update(`${seed} ${count}`).digest().readUIntBE(0, 6) / 2 ** 48;
  };
}
