import { z } from 'zod';
import { ISOLATION_LIMITS } from '../../../agent/actions-config.js';

/** What a process with many agents is told. */
export const FleetShare = z.strictObject({
  /** Where they enroll. */
  url: z.string(),
  /** Where each has its data, below its name. */
  directory: z.string(),
  hooks: z.string(),
  isolation: z.enum(ISOLATION_LIMITS),
  agents: z.array(z.strictObject({ node: z.string(), token: z.string() })),
  /** Over how long a time they start, one after the other. */
  spreadMs: z.number(),
});
export type FleetShare = Readonly<z.infer<typeof FleetShare>>;
