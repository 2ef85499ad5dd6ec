import { z } from 'zod';
import { Sha256Hex, Time } from '../../protocol/ids.js';
import { PageQuery } from './schemas.js';

/** One row of the audit trail. */
export const AuditView = z.object({
  seq: z.int().describe('Place in the trail of the whole store, from 1'),
  at: Time,
  actor: z.string().describe('A user, `node:…`, `policy` or `controller`'),
  event: z.string(),
  subject: z.string().describe('What it is about: `invocation:…`, `execution:…/NODE`, `node:…`, `user:…`, …'),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  hash: z.string().describe('SHA-256 over the row and the hash of the one before it'),
});
export type AuditView = Readonly<z.infer<typeof AuditView>>;

const Text = z.string().min(1).max(256);

/** Each that is given has to be met, to the letter. */
export const AuditQuery = PageQuery.extend({
  event: Text.optional(),
  actor: Text.optional(),
  subject: Text.optional(),
  since: Time.optional().describe('Rows of this time and later'),
});
export type AuditQuery = Readonly<z.infer<typeof AuditQuery>>;

/** A point of the trail that the caller has kept since an earlier look. */
export const VerifyQuery = z.strictObject({
  seq: z.coerce.number().int().min(1).optional(),
  hash: Sha256Hex.optional().describe('What row `seq` had then; both or neither'),
});
