import { sha256Hex } from '../../protocol/envelope.js';
import type { ActionResult } from '../services.js';
import type { Queries } from './database.js';

/** Keeps what an integration answered; gives the SHA-256 of it, by which the audit trail names it. */
export async function insertIntegrationResult(
  tx: Queries,
  id: string,
  { result, result_truncated }: ActionResult,
): Promise<string> {
  const text = JSON.stringify(result);
  const sha256 = sha256Hex(text);
  const row = { invocation_id: id, result: text, sha256, truncated: result_truncated ? 1 : 0 };
  await tx.insertInto('integration_results').values(row).execute();
  return sha256;
}

/** What an integration answered; undefined when it has not. */
export async function findIntegrationResult(read: Queries, id: string): Promise<ActionResult | undefined> {
  const row = await read
    .selectFrom('integration_results')
    .select(['result', 'truncated'])
    .where('invocation_id', '=', id)
    .executeTakeFirst();
  return row && { result: JSON.parse(row.result), result_truncated: row.truncated === 1 };
}
