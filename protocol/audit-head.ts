import { z } from 'zod';
import { Sha256Hex, Time } from './ids.js';

/** Payload of `muster-audit-head`: the controller's word on where its audit trail ends. It never leaves the store. */
export const AuditHead = z.object({
  v: z.literal(1),
  seq: z.int().min(1).describe('Number of the last row'),
  hash: Sha256Hex.describe('Of the last row, and so of all before it'),
  at: Time.describe('When it was signed'),
});
export type AuditHead = Readonly<z.infer<typeof AuditHead>>;
