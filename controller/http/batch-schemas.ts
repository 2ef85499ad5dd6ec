import { z } from 'zod';
import { PositiveDuration } from '../../protocol/durations.js';
import { Time } from '../../protocol/ids.js';

const Percent = z.string().regex(/^(100|[1-9]?\d)%$/, 'must be a whole number, or a percentage such as 10%');
const MAX_NODES = 1_000_000;

/** A part of the nodes that are asked: so many, or so many of a hundred. */
const Share = z.union([z.int().min(0).max(MAX_NODES), Percent], 'must be a whole number, or a percentage such as 10%');
export type Share = Readonly<z.infer<typeof Share>>;

/** An ask that reaches its nodes in parts, each when the one before has ended. */
export const Batch = z.strictObject({
  size: Share.refine((share) => share !== 0 && share !== '0%', 'must be above zero').describe(
    'How many nodes at a time: a number, or a percentage of all, rounded up',
  ),
  pause: PositiveDuration.optional().describe('Between the last end of a batch and the next batch'),
  wait: PositiveDuration.optional().describe(
    'How long the nodes of a batch may take to accept it; without it until the ask itself expires',
  ),
  max_failed: Share.default(0).describe(
    'When more than so many (or a percentage of all, rounded down) have ended without success, no further batch begins',
  ),
});
export type Batch = Readonly<z.infer<typeof Batch>>;

/** The same as an invocation shows it, and how far it has come. */
export const BatchView = Batch.extend({
  count: z.int().describe('How many batches there are'),
  begun: z.int().describe('How many of them have begun'),
  stopped_at: Time.nullable().describe('When too many had failed, or the policy was against the next batch'),
});
