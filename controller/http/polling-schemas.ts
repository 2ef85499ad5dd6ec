import { z } from 'zod';
import { Id, Time } from '../../protocol/ids.js';
import { REJECTION_REASONS } from '../../protocol/messages/ack.js';
import { ActionSpec, Capabilities, HookSpec } from '../../protocol/messages/capabilities.js';
import { MAX_GROUPS } from '../../protocol/messages/control.js';
import { Parameters } from '../../protocol/messages/parameters.js';
import { TriggeredBy } from '../../protocol/messages/request.js';
import { ErrorCodeText } from '../../protocol/messages/result.js';
import { OUTCOMES } from '../../protocol/outcomes.js';
import { Labels } from '../../protocol/selectors.js';
import { FLEET_ACTIONS } from '../polling/fleet-actions.js';

/** A token for a node that has no key and polls. */
export const CreateNodeToken = z.strictObject({
  node: Id.describe('Made with its first token; a node with a key gets none'),
  groups: z.array(Id).max(MAX_GROUPS).default([]).describe('Of a node that is new'),
  labels: Labels.default({}),
});
export type CreateNodeToken = Readonly<z.infer<typeof CreateNodeToken>>;

export const NodeTokenView = z.object({ id: z.string(), node: Id, created_at: Time, created_by: z.string() });
export type NodeTokenView = Readonly<z.infer<typeof NodeTokenView>>;

/** The one time the token itself is shown. */
export const NodeTokenCreated = NodeTokenView.extend({ token: z.string() });
export type NodeTokenCreated = Readonly<z.infer<typeof NodeTokenCreated>>;

/** The name under which a node knows an action: `org:node:milliseconds`, or an execution id. */
const ActionReference = z.string().min(1).max(160);

/** F-22. `data` are the parameters of the action. */
export const QueueAction = z
  .strictObject({
    machine_id: z.string().min(1).max(256).describe('Id of the node'),
    action_type: z.enum(FLEET_ACTIONS),
    data: Parameters.default({}),
  })
  .refine(({ action_type, data }) => action_type !== 'message' || data.message !== '', {
    path: ['data', 'message'],
    error: 'must not be empty',
  });
export type QueueAction = Readonly<z.infer<typeof QueueAction>>;

export const PendingQuery = z.strictObject({ machine_id: z.string().min(1).max(256) });

/** F-38. */
export const FetchedAction = z.object({
  action_id: z.string(),
  type: z.string(),
  data: Parameters,
  checksum: z.string().optional().describe('SHA-256 of a hook; the node runs nothing else under its name'),
});
export type FetchedAction = Readonly<z.infer<typeof FetchedAction>>;

/** F-44. */
export const ReportAction = z.strictObject({
  action_id: ActionReference,
  status: z.enum(['done', 'error']),
  result: z.string().default(''),
});

/** Every failure on F's routes: the sentence, and a code unless it is one of the three that the route has by itself. */
export const FleetFailure = z.object({
  error: z.string(),
  code: z.string().optional(),
  next: z.string().optional().describe('What to do'),
});

/** P-91. */
export const AckExecution = z
  .strictObject({
    execution_id: ActionReference,
    status: z.enum(['accepted', 'rejected']),
    reason: z.enum(['', ...REJECTION_REASONS]),
  })
  .refine(({ status, reason }) => (status === 'accepted') === (reason === ''), {
    path: ['reason'],
    error: 'stands with rejected, and is empty otherwise',
  });

/** P-92; `error_code` and `error` may say more of an `error`. */
export const ReportExecution = z.strictObject({
  execution_id: ActionReference,
  status: z.enum(OUTCOMES),
  exit_code: z.int().min(-1).max(255),
  stdout: z.string(),
  stderr: z.string(),
  duration: z.string().max(64).describe('Such as 1.2s'),
  finished_at: z.iso.datetime({ offset: true }).max(40),
  triggered_by: TriggeredBy.optional(),
  error_code: ErrorCodeText.optional(),
  error: z.string().max(4096).optional(),
});

/** P-93. */
export const AnnounceCapabilities = z.strictObject({
  binary: Capabilities.shape.binary,
  builtin_actions: z.array(ActionSpec).max(200),
  hooks: z.array(HookSpec).max(500),
});
export type AnnounceCapabilities = Readonly<z.infer<typeof AnnounceCapabilities>>;

/** A header by which a node that got no answer asks for the same one again. Other headers pass. */
export const FetchHeaders = z.looseObject({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 printable ASCII characters')
    .optional()
    .describe('The same key gives the same actions again; another one says that the answer before has arrived'),
});
