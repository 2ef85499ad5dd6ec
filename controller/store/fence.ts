import type { Queries } from './database.js';

/** The number of the newest term of any controller on this store; 0 where none was ever needed. */
export async function readFence(queries: Queries): Promise<number> {
  const { fence } = await queries.selectFrom('lease').select('fence').executeTakeFirstOrThrow();
  return fence;
}
