import { z } from 'zod';
import { Id, Time } from '../../protocol/ids.js';

/** Whether the controller starts anything. */
export const SuspensionView = z.object({
  suspended: z.boolean().describe('True while nothing is started, since the store was restored from an older copy'),
  since: Time.nullable(),
  node: Id.nullable().describe('The first node that knew of more than the store'),
});
export type SuspensionView = Readonly<z.infer<typeof SuspensionView>>;
