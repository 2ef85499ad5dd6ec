import { z } from 'zod';
import { Id, Time } from '../ids.js';

/** Plain JSON on `metrics`: a whole snapshot of the agent's /metrics, at QoS 0. */
export const Metrics = z.object({
  v: z.literal(1),
  node: Id,
  at: Time,
  samples: z
    .array(
      z.object({
        name: z.string().max(128),
        labels: z.record(z.string().max(64), z.string().max(128)),
        value: z.number(),
      }),
    )
    .max(2000),
});
export type Metrics = Readonly<z.infer<typeof Metrics>>;
