import { z } from 'zod';
import { PositiveDuration, parseDuration } from '../../protocol/durations.js';
import { ActionName, Id, Sha256Hex, Time, Uuid } from '../../protocol/ids.js';
import { Capabilities, HookSpec, Risk } from '../../protocol/messages/capabilities.js';
import { MAX_GROUPS } from '../../protocol/messages/control.js';
import { Encoding } from '../../protocol/messages/output.js';
import { ParameterSpec, Parameters } from '../../protocol/messages/parameters.js';
import { MAX_REQUEST_WINDOW_MS, Spread } from '../../protocol/messages/request.js';
import { Violation } from '../../protocol/messages/result.js';
import { Labels, Selector } from '../../protocol/selectors.js';
import { Batch, BatchView } from './batch-schemas.js';
import { ContainerView } from './container-schemas.js';
import { GrantWithApproval } from './grant-schemas.js';
import { EXECUTION_STATUSES, INVOCATION_STATUSES } from './statuses.js';
import { AnyParameters, InvocationTarget, ShownParameters } from './target-schemas.js';

export const InvocationStatus = z.enum(INVOCATION_STATUSES);
export type InvocationStatus = z.infer<typeof InvocationStatus>;

export const ExecutionStatus = z.enum(EXECUTION_STATUSES);
export type ExecutionStatus = z.infer<typeof ExecutionStatus>;

export const PageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(512).optional(),
});

/** Any list: `next_cursor` is null on the last page. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), next_cursor: z.string().nullable() });
}

/** How an invocation is named in an address. */
export const InvocationId = Uuid.describe('Invocation id, a UUID');

/** How a token is named: its second part. */
export const TokenId = z
  .string()
  .regex(/^[a-z0-9]{8,32}$/)
  .describe('Id of a token');

/** RFC 9457 problem details; `code` is of the error table. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  next: z.string().describe('What to do'),
  request_id: z.string(),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
});
export type Problem = Readonly<z.infer<typeof Problem>>;

/** Whether a node is connected now. */
export const NodeState = z.enum(['online', 'offline', 'never_seen']);
export type NodeState = z.infer<typeof NodeState>;

export const NodeView = z.object({
  node: Id,
  state: NodeState,
  transport: z.enum(['mqtt', 'http']).describe('http: it has no key, polls and reports with a token'),
  agent_version: z.string().nullable(),
  groups: z.array(Id),
  labels: Labels,
  enrolled_at: Time,
  last_seen: Time.nullable(),
  boot_id: z.string().nullable(),
  process_id: z.string().nullable(),
  builtin_actions: z.array(z.string()),
  hooks: z.array(z.string()),
  open_executions: z.int(),
});
export type NodeView = Readonly<z.infer<typeof NodeView>>;

/** A hook as a node announced it last, and the checksum that may be asked for. */
export const HookView = z.object({
  node: Id,
  name: ActionName,
  checksum: Sha256Hex.describe('Of the file, as the node announced it last'),
  pinned_checksum: Sha256Hex.nullable().describe(
    'Seen first or accepted since; null: it has to be accepted before it runs',
  ),
  changed: z.boolean().describe('True: an ask for it is refused with hook_changed'),
  sandbox: HookSpec.shape.sandbox,
  network: z.boolean().describe('True: its sandbox has the network of the node'),
  writable: z.array(z.string()).describe('Paths of the node that its sandbox may write'),
  fault: z.string().nullable().describe('What is wrong with its file or sidecar'),
});
export type HookView = Readonly<z.infer<typeof HookView>>;

export const HooksQuery = PageQuery.extend({
  node: Id.optional(),
  name: ActionName.optional(),
  changed: z.enum(['true', 'false']).optional(),
});
export type HooksQuery = Readonly<z.infer<typeof HooksQuery>>;

/** The checksum that whoever accepts has looked at. */
export const AcceptHook = z.strictObject({ checksum: Sha256Hex });

/** One node, read by itself. */
export const NodeDetail = NodeView.extend({
  limits: Capabilities.shape.limits.describe(
    'As announced; process_isolation says how well the node can end what an action starts',
  ),
  hook_checksums: z.array(HookView),
  containers: z.array(ContainerView).describe('As announced; empty when the node has no container engine'),
});
export type NodeDetail = Readonly<z.infer<typeof NodeDetail>>;

/** Each that is given replaces what was there. */
export const ChangeNode = z.strictObject({
  labels: Labels.optional(),
  groups: z
    .array(Id)
    .max(MAX_GROUPS)
    .refine((groups) => new Set(groups).size === groups.length, 'names a group twice')
    .optional(),
});
export type ChangeNode = Readonly<z.infer<typeof ChangeNode>>;

export const GroupView = z.object({ group: Id, nodes: z.int().describe('How many nodes are members') });
export type GroupView = Readonly<z.infer<typeof GroupView>>;

/** An action and where it is offered. For hooks `checksums` says which node has which version. */
export const ActionView = z.object({
  name: ActionName,
  kind: z.enum(['builtin', 'hook']),
  description: z.string(),
  risk: Risk,
  parameters: z.array(ParameterSpec),
  timeout: z.string().nullable(),
  nodes: z.array(Id),
  checksums: z.record(Sha256Hex, z.array(Id)).optional(),
  sandbox: HookSpec.shape.sandbox.optional(),
});
export type ActionView = Readonly<z.infer<typeof ActionView>>;

/** A node that is never heard again is not waited for longer. */
const Timeout = PositiveDuration.refine(
  (text) => (parseDuration(text) ?? 0) <= MAX_REQUEST_WINDOW_MS,
  'must be at most 7 days (168h)',
);

export const CreateInvocation = z.strictObject({
  action: ActionName,
  target: Selector,
  parameters: Parameters.default({}),
  timeout: Timeout.optional().describe('How long it may run on a node, at most 168h; its own definition when absent'),
  expires_in: PositiveDuration.optional().describe('How long it may wait for a node; default 24h, at most 7 days'),
  reason: z.string().max(1024).optional(),
  stream: z.boolean().default(false),
  spread: Spread.optional(),
  batch: Batch.optional(),
  confirm: z.boolean().default(false).describe("An admin's or owner's own approval of a write"),
  digest: Sha256Hex.optional().describe(
    'Of a preview: with it the ask is refused when it would come to something else now',
  ),
});
export type CreateInvocation = Readonly<z.infer<typeof CreateInvocation>>;

/** An ask as it comes: of nodes, or of an integration, for which only some of the fields have a meaning. */
export const AnyAsk = CreateInvocation.extend({
  target: InvocationTarget,
  parameters: AnyParameters.default({}),
});
export type AnyAsk = Readonly<z.infer<typeof AnyAsk>>;

/** A header by which a client says how long it would wait. Other headers pass. */
export const WaitHeaders = z.looseObject({
  prefer: z.string().max(1024).optional().describe('wait=N: seconds to wait for the end, 0 to 60 (RFC 7240)'),
});

export const AskHeaders = WaitHeaders.extend({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 printable ASCII characters')
    .optional()
    .describe('The same key with the same body gives the same invocation for 24 h'),
});

/** How many executions of an invocation are in each state; every state is present. */
export const Counts = z.object({
  total: z.int(),
  ...(Object.fromEntries(EXECUTION_STATUSES.map((s) => [s, z.int()])) as Record<ExecutionStatus, z.ZodInt>),
});

/** Whose word a result is: that of its node's key, or of whoever held the token of a node that polls. */
export const Evidence = z.enum(['signature', 'token']);

/** Who an invocation came from: a caller of this API, or a person on the node itself. */
export const Origin = z.enum(['api', 'local']);

/** What the policy would say of an ask; `code` and `detail` tell why when it would not be taken. */
export const PreviewedDecision = z.object({
  kind: z.enum(['approved', 'pending', 'denied', 'refused']),
  code: z.string().nullable(),
  detail: z.string().nullable(),
});

/** A node of a preview; `offers_action` is false where the node would reject it. */
export const PreviewedNode = z.object({ node: Id, state: NodeState, offers_action: z.boolean() });

/** What an ask would come to, without asking. */
export const InvocationPreview = z.object({
  action: ActionName,
  target: InvocationTarget,
  risk: Risk,
  timeout: z.string(),
  expires_in: z.string(),
  digest: Sha256Hex.describe('Of what is asked and of whom; send it with the ask to get exactly this'),
  decision: PreviewedDecision,
  counts: z.object({
    total: z.int(),
    online: z.int(),
    offline: z.int(),
    never_seen: z.int(),
    without_action: z.int().describe('Nodes that would reject it with unknown_action'),
  }),
  batches: z.int().describe('1 when all nodes are asked at once'),
  nodes: z.array(PreviewedNode).describe('Those that are away first, then by id; at most 200'),
  nodes_left_out: z.int().describe('How many more there are'),
});
export type InvocationPreview = Readonly<z.infer<typeof InvocationPreview>>;

export const InvocationView = z.object({
  id: z.string(),
  status: InvocationStatus,
  origin: Origin,
  action: ActionName,
  target: InvocationTarget,
  nodes: z.int().describe('On how many nodes it runs, or would run once it is approved; 0 when it was denied at once'),
  parameters: ShownParameters.describe(
    'What looks like a secret by its name is `[redacted]`, but for admins and owners who read this one invocation',
  ),
  risk: Risk,
  timeout: z.string(),
  reason: z.string().nullable(),
  created_at: Time,
  created_by: z.string(),
  approved_by: z.string().nullable(),
  approved_at: Time.nullable(),
  expires_at: Time,
  completed_at: Time.nullable(),
  duration_ms: z
    .int()
    .nullable()
    .describe('From the approval to the end; null before, and for what never was approved'),
  digest: Sha256Hex.describe('Of what is asked: action, target, parameters, time-out'),
  counts: Counts,
  error: z.string().nullable(),
  error_code: z.string().nullable().describe("Why an integration's action failed; executions have their own"),
  integration_id: z.string().nullable().describe('Of the integration; null for nodes, and when it was removed'),
  cancel_requested_at: Time.nullable().describe('When somebody wanted it to end'),
  cancel_requested_by: z.string().nullable(),
  batch: BatchView.nullable().describe('Null when all its nodes are asked at once'),
});
export type InvocationView = Readonly<z.infer<typeof InvocationView>>;

export const ExecutionView = z.object({
  execution_id: z.string(),
  invocation_id: z.string(),
  node: Id,
  status: ExecutionStatus,
  batch: z.int().nullable().describe('Which batch it belongs to, from 1'),
  reason: z
    .string()
    .nullable()
    .describe(
      'Why it was rejected, or why its batch never began: batch_stopped (too many had failed), policy_revalidated_deny',
    ),
  unreachable: z.boolean().describe('Offered for 30 s without an answer; provisional'),
  cancelling: z.boolean().describe('It is to end, and its node has not answered yet'),
  provisional: z.boolean().describe('The controller concluded it; a late signed result replaces it'),
  request_sha256: Sha256Hex.nullable(),
  sent_at: Time.nullable(),
  accepted_at: Time.nullable(),
  finished_at: Time.nullable(),
  received_at: Time.nullable(),
  exit_code: z.int().nullable(),
  duration: z.string().nullable(),
  duration_ms: z.number().nullable(),
  stdout: z.string().nullable(),
  stderr: z.string().nullable(),
  stdout_encoding: Encoding.nullable(),
  stderr_encoding: Encoding.nullable(),
  stdout_bytes: z.int().nullable(),
  stderr_bytes: z.int().nullable(),
  stdout_truncated: z.boolean().nullable(),
  stderr_truncated: z.boolean().nullable(),
  error_code: z.string().nullable(),
  error: z.string().nullable(),
  launched: z.enum(['yes', 'no', 'unknown']).nullable(),
  violation: Violation.nullable().describe('With integrity_check_failed: what was found'),
  evidence: Evidence.nullable().describe('Whose word the result is; null while there is none'),
});
export type ExecutionView = Readonly<z.infer<typeof ExecutionView>>;

/** An invocation and, while they fit on a page of at most 200, its executions; or what an integration answered. */
export const InvocationAnswer = z.object({
  invocation: InvocationView,
  executions: z.array(ExecutionView).optional(),
  result: z
    .unknown()
    .optional()
    .describe('What an integration answered: secrets redacted by their names, and at most 10 KB of it'),
  result_truncated: z.boolean().optional().describe('True when there was more'),
});
export type InvocationAnswer = Readonly<z.infer<typeof InvocationAnswer>>;

export const ApproveInvocation = z.strictObject({
  digest: Sha256Hex.describe('Of the invocation as it was shown'),
  grant: GrantWithApproval.optional().describe(
    'And the next ones too: asks for the same action and target need no approval. When this approval fails nothing is granted',
  ),
});

export const DenyInvocation = z.strictObject({
  reason: z.string().max(1024).optional().describe('Why; whoever asked sees it'),
});

export const CancelInvocation = z.strictObject({
  reason: z.string().max(1024).optional().describe('Why, for the audit log'),
});

/** The query of an execution's output: one stream, from a byte on. */
export const OutputQuery = z.strictObject({
  stream: z.enum(['stdout', 'stderr']).default('stdout'),
  offset: z.coerce.number().int().min(0).default(0).describe('Bytes to leave out at the start'),
});

export const CreateEnrollmentToken = z.strictObject({
  uses: z.int().min(1).max(100_000).default(1),
  expires_in: PositiveDuration.default('1h'),
  groups: z.array(Id).max(MAX_GROUPS).default([]),
  labels: Labels.default({}),
  node_id_pattern: z
    .string()
    .max(64)
    .regex(/^[A-Za-z0-9_*-]+$/)
    .optional()
    .describe('Glob of allowed node ids: pump-*'),
});
export type CreateEnrollmentToken = Readonly<z.infer<typeof CreateEnrollmentToken>>;

export const EnrollmentTokenView = z.object({
  id: z.string(),
  uses_left: z.int(),
  expires_at: Time,
  groups: z.array(Id),
  labels: Labels,
  node_id_pattern: z.string().nullable(),
  created_at: Time,
  created_by: z.string(),
});
export type EnrollmentTokenView = Readonly<z.infer<typeof EnrollmentTokenView>>;

/** The one time the token itself is shown. */
export const EnrollmentTokenCreated = EnrollmentTokenView.extend({ token: z.string() });

export const CreateBrokerCredential = z.strictObject({ role: z.enum(['controller', 'monitor']) });
export const BrokerCredential = z.object({
  url: z.string(),
  client_id: Id,
  username: Id,
  password: z.string(),
  expires_at: Time,
  filters: z.array(z.string()).describe('What this role may subscribe'),
});
export type BrokerCredential = Readonly<z.infer<typeof BrokerCredential>>;
