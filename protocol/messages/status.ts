import { z } from 'zod';
import { Time, Uuid } from '../ids.js';

/** Plain JSON on `status`, retained, and the agent's Will. A hint, never authority. */
export const Status = z.object({
  v: z.literal(1),
  state: z.enum(['online', 'offline']),
  reason: z.string().max(64).describe('connection_lost in the Will, stopped after a graceful stop'),
  boot_id: Uuid,
  process_id: Uuid,
  connection: z.int().min(1),
  since: Time,
  agent_version: z.string().max(64),
});
export type Status = Readonly<z.infer<typeof Status>>;
