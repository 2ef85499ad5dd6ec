import { z } from 'zod';
import { ActionName, Id, Time } from '../../protocol/ids.js';
import { Risk } from '../../protocol/messages/capabilities.js';
import { GrantId } from './grant-schemas.js';
import { type Role, UserId } from './people-schemas.js';
import { ExecutionStatus, InvocationId, InvocationStatus, TokenId } from './schemas.js';
import { ShownParameters } from './target-schemas.js';

/** What actions on nodes are an action of, where other systems have their own name. */
export const OWN_INTEGRATION = 'muster';

const ApprovalRequest = z.object({
  type: z.literal('action_approval_request'),
  invocationId: InvocationId,
  integration: z.string().describe('Whose action it is; `muster` for actions on nodes'),
  action: ActionName,
  riskLevel: Risk,
  params: ShownParameters.describe('What looks like a secret by its name is `[redacted]`'),
  expiresAt: Time.describe('Until when it waits'),
});

const ApprovalResult = z.object({
  type: z.literal('action_approval_result'),
  invocationId: InvocationId,
  status: z.enum(['approved', 'denied']),
  approvedBy: z.string().optional().describe('Who approved or denied it; absent when the policy did'),
});

const ActionCompleted = z.object({
  type: z.literal('action_completed'),
  invocationId: InvocationId,
  status: z.enum(['completed', 'failed']).describe('`failed` is every end but success: also expired and cancelled'),
  result: z
    .unknown()
    .optional()
    .describe('Of nodes how many executions ended in which way; of an integration what it answered, as it is stored'),
  error: z.string().optional(),
});

const InvocationChanged = z.object({
  type: z.literal('invocation'),
  invocation_id: InvocationId,
  status: InvocationStatus,
  action: ActionName,
  integration: Id.nullable().describe('Whose action it is; null for actions on nodes'),
  risk: Risk,
  created_by: z.string(),
  total: z.int().describe('On how many nodes it is'),
  error: z.string().nullable(),
});

const ExecutionChanged = z.object({
  type: z.literal('execution'),
  invocation_id: InvocationId,
  execution_id: z.string(),
  node: Id,
  status: ExecutionStatus,
  reason: z.string().nullable(),
  error_code: z.string().nullable().describe('Of what the controller concluded; a result has its own'),
  unreachable: z.boolean(),
  cancelling: z.boolean(),
  provisional: z.boolean(),
});

const OutputStored = z.object({
  type: z.literal('output'),
  invocation_id: InvocationId,
  execution_id: z.string(),
  node: Id,
  seq: z.int(),
  stream: z.enum(['stdout', 'stderr']),
  offset: z.int().describe('Where the piece begins in the stream, in bytes; read it from `…/output?offset=`'),
  last: z.boolean(),
});

const NodeChanged = z.object({
  type: z.literal('node'),
  node: Id,
  change: z.enum(['enrolled', 'online', 'offline', 'changed', 'removed']),
});

const GrantChanged = z.object({
  type: z.literal('grant'),
  grant_id: GrantId,
  change: z.enum(['made', 'revoked']),
  by: z.string().describe('Who made or revoked it'),
});

const LoggedIn = z.object({ type: z.literal('login'), user: UserId, token_id: TokenId });

const EVENTS = [
  ApprovalRequest,
  ApprovalResult,
  ActionCompleted,
  InvocationChanged,
  ExecutionChanged,
  OutputStored,
  NodeChanged,
  GrantChanged,
  LoggedIn,
] as const;

/** What happened, as it is stored; `type` says which. */
export const Event = z.discriminatedUnion('type', EVENTS);
export type Event = Readonly<z.infer<typeof Event>>;
export type EventType = Event['type'];

/** Every type of event, and the least role that is told of it. */
export const EVENT_ROLES: Readonly<Record<EventType, z.infer<typeof Role>>> = {
  action_approval_request: 'viewer',
  action_approval_result: 'viewer',
  action_completed: 'viewer',
  invocation: 'viewer',
  execution: 'viewer',
  output: 'viewer',
  node: 'viewer',
  grant: 'viewer',
  login: 'admin',
};

const EVENT_TYPES = EVENTS.map((each) => each.shape.type.value);

/** Where an event stands in the log: ids grow by one with each event, in the order of commits. */
const PLACE = { id: z.int().describe('Grows with each event'), at: Time.describe('When it was stored') };

const Ready = z
  .object({ type: z.literal('ready') })
  .describe('The first of every stream: from here on nothing is missed');

const Heartbeat = z
  .object({ type: z.literal('heartbeat') })
  .describe('Nothing new up to this id; over WebSocket alone, where server-sent events have a comment');

const Reset = z
  .object({ type: z.literal('reset') })
  .describe('What followed the id that was asked for is no longer held: read the state anew');

const End = z
  .object({ type: z.literal('end'), code: z.enum(['unauthenticated', 'forbidden', 'unavailable']) })
  .describe('The last one: the token or role is no longer good, or the controller stops');

/** One message of an event stream: an event, or what the stream says of itself, with the id from which it goes on. */
export const StreamMessage = z.discriminatedUnion('type', [
  ApprovalRequest.extend(PLACE),
  ApprovalResult.extend(PLACE),
  ActionCompleted.extend(PLACE),
  InvocationChanged.extend(PLACE),
  ExecutionChanged.extend(PLACE),
  OutputStored.extend(PLACE),
  NodeChanged.extend(PLACE),
  GrantChanged.extend(PLACE),
  LoggedIn.extend(PLACE),
  Ready.extend(PLACE),
  Heartbeat.extend(PLACE),
  Reset.extend(PLACE),
  End.extend(PLACE),
]);
export type StreamMessage = Readonly<z.infer<typeof StreamMessage>>;

/** A note of a stream without its place. */
export type StreamNote = Readonly<z.infer<typeof Ready | typeof Heartbeat | typeof Reset | typeof End>>;

const EventId = z
  .string()
  .regex(/^\d{1,15}$/, 'must be the id of an event')
  .transform(Number);

/** Which events are wanted, and from where on. */
export const EventsQuery = z.strictObject({
  types: z
    .string()
    .max(512)
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(EVENT_TYPES)))
    .optional()
    .describe(`Only these, separated by commas: ${EVENT_TYPES.join(', ')}`),
  invocation: InvocationId.optional().describe('Only what is about this invocation'),
  node: Id.optional().describe('Only what is about this node'),
  after: EventId.optional().describe('As Last-Event-ID, for clients that cannot set headers'),
});
export type EventsQuery = Readonly<z.infer<typeof EventsQuery>>;

export const EventsHeaders = z.looseObject({
  'last-event-id': EventId.optional().describe('The id of the last event that was seen: those after it come first'),
});
