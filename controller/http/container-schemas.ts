import { z } from 'zod';
import { Labels } from '../../protocol/selectors.js';

/** A container as its node announced it last. */
export const ContainerView = z.object({
  id: z.string(),
  name: z.string().nullable(),
  image: z.string().nullable(),
  state: z.string().nullable().describe('`created`, `running`, `paused`, `exited`, …'),
  labels: Labels,
});
export type ContainerView = Readonly<z.infer<typeof ContainerView>>;
