import { z } from 'zod';
import { PositiveDuration, parseDuration, TimeoutDuration } from '../durations.js';
import { ActionName, ExecutionId, Id, Sha256Hex, Time } from '../ids.js';
import { Parameters } from './parameters.js';

/** A request may wait at most this long for its node. */
export const MAX_REQUEST_WINDOW_MS = 7 * 24 * 3600 * 1000;

/** How far the starts of one request may lie apart: past its window nothing would start. */
export const Spread = PositiveDuration.refine(
  (text) => (parseDuration(text) ?? 0) <= MAX_REQUEST_WINDOW_MS,
  'must be at most 7 days (168h)',
);

/** Whom a request is for. On a node's own topic any of the three may stand, so that a late node gets the same octets. */
export const Target = z.union([
  z.strictObject({ node: Id }),
  z.strictObject({ group: Id }),
  z.strictObject({ fleet: z.literal(true) }),
]);
export type Target = Readonly<z.infer<typeof Target>>;

/** Who asked, and why; comes back unchanged in the result (P-36). */
export const TriggeredBy = z
  .looseObject({
    type: z.string().max(64),
    id: z.string().max(256),
    invocation_id: z.string().max(64).optional(),
    reason: z.string().max(1024).optional(),
  })
  .refine((value) => JSON.stringify(value).length <= 4096, 'at most 4096 characters as JSON');
export type TriggeredBy = Readonly<z.infer<typeof TriggeredBy>>;

/** Payload of `muster-request` (P-90). */
export const Request = z
  .object({
    v: z.literal(1),
    execution_id: ExecutionId.describe('The same for every node of a broadcast'),
    org: Id,
    target: Target,
    roster_at: Time.optional().describe('Broadcasts: a node acts only if it was a member by then'),
    action: ActionName,
    parameters: Parameters,
    timeout: TimeoutDuration,
    checksum: Sha256Hex.or(z.literal('')).optional().describe('SHA-256 of the hook; required for hooks'),
    stream: z.boolean().default(false).describe('Publish output while it runs'),
    spread: Spread.optional().describe(
      'Wait a random part of it, at most 168h, before the start, so that a fleet does not start at one moment',
    ),
    issued_at: Time,
    expires_at: Time,
    triggered_by: TriggeredBy.optional(),
  })
  .refine(({ issued_at, expires_at }) => {
    const windowMs = Date.parse(expires_at) - Date.parse(issued_at);
    return windowMs > 0 && windowMs <= MAX_REQUEST_WINDOW_MS;
  }, 'expires_at must lie after issued_at, at most 7 days')
  .refine(({ target, roster_at }) => 'node' in target || roster_at !== undefined, 'a broadcast needs roster_at');
export type Request = Readonly<z.infer<typeof Request>>;
