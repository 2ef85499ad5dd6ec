import { z } from 'zod';
import { Id } from '../../protocol/ids.js';
import type { Queries } from './database.js';

/** Since when nothing is started, milliseconds since 1970, and which node has shown why. */
export type Suspended = Readonly<z.infer<typeof Suspended>>;
const Suspended = z.object({ sinceMs: z.int(), node: Id });

/** Its key in the table `meta`. */
const KEY = 'suspended';

/** How far the welcomes of all nodes are counted on when work is resumed: further than a node hears in years. */
export const WELCOMES_SKIPPED = 1_000_000;

/** What is noted; undefined while work goes on. */
export async function findSuspended(queries: Queries): Promise<Suspended | undefined> {
  const row = await queries.selectFrom('meta').select('value').where('key', '=', KEY).executeTakeFirst();
  return row === undefined ? undefined : Suspended.parse(JSON.parse(row.value));
}

/** Notes that nothing is to be started; false when that is noted already, and stays as it is. */
export async function insertSuspended(tx: Queries, suspended: Suspended): Promise<boolean> {
  const inserted = await tx
    .insertInto('meta')
    .values({ key: KEY, value: JSON.stringify(suspended) })
    .onConflict((conflict) => conflict.doNothing())
    .returning('key')
    .executeTakeFirst();
  return inserted !== undefined;
}

/**
 * Ends it; gives what was noted, undefined when nothing was. Nodes that were away meanwhile will name welcomes of which
 * this store does not know, and for the same reason: the numbers go on above all that they can have heard.
 */
export async function endSuspended(tx: Queries): Promise<Suspended | undefined> {
  const row = await tx.deleteFrom('meta').where('key', '=', KEY).returning('value').executeTakeFirst();
  if (row === undefined) return undefined;
  await tx
    .updateTable('nodes')
    .set(({ eb }) => ({ welcome_seq: eb('welcome_seq', '+', WELCOMES_SKIPPED) }))
    .where('welcome_seq', '>', 0)
    .execute();
  return Suspended.parse(JSON.parse(row.value));
}
