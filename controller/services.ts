import type { z } from 'zod';
import type { Mask } from '../runtime/masking/mask.js';
import type { GrantService } from './grants/contract.js';
import type { AuditQuery, AuditView } from './http/audit-schemas.js';
import type { GrantWithApproval } from './http/grant-schemas.js';
import type {
  ExecutionGroupView,
  ExecutionsQuery,
  GroupBy,
  InvocationsQuery,
  NodesQuery,
  NodesSummary,
} from './http/list-schemas.js';
import type { Me } from './http/people-schemas.js';
import type { PolicyVersionView, PolicyView } from './http/policy-schemas.js';
import type {
  ActionView,
  ChangeNode,
  CreateEnrollmentToken,
  CreateInvocation,
  EnrollmentTokenCreated,
  EnrollmentTokenView,
  ExecutionView,
  GroupView,
  HooksQuery,
  HookView,
  InvocationPreview,
  InvocationView,
  NodeDetail,
  NodeView,
} from './http/schemas.js';
import type { AnyParameters } from './http/target-schemas.js';
import type { BrokerCredentialService } from './identity/broker-credentials.js';
import type { PeopleService, TokenService } from './identity/people-service.js';
import type { IntegrationService } from './integrations/integration-service.js';
import type { PolicyDocument } from './policy/document.js';
import type { PollingService } from './polling/contract.js';
import type { SandboxScope, SandboxService, Seen } from './sandboxes/contract.js';
import type { SignInService } from './sign-in/contract.js';
import type { SessionService } from './sign-in/sessions.js';
import type { Queries } from './store/database.js';
import type { Once } from './store/made-once.js';
import type { SuspensionService } from './suspension.js';
import type { VerifyReport } from './verify/findings.js';

export type { Role } from './http/people-schemas.js';

/**
 * Who asks: whose token was accepted. A person, or a program with a token of theirs: `token` is that one, what is made
 * through it ends with it, and its `holders` are the people who were shown it. Or a sandbox, a program with a token of its own: `id` is `sandbox:` and its id then.
 */
export type Principal = Me &
  Readonly<{
    token?: Readonly<{ id: string; expiresMs: number | null; holders?: readonly string[] }>;
    sandbox?: SandboxScope;
  }>;

/** A part of a list; `cursor` is the `next_cursor` of the page before. */
export type PageRequest = Readonly<{ limit: number; cursor?: string | undefined }>;

/** `next_cursor` is null on the last page. */
export type Page<T> = Readonly<{ items: readonly T[]; next_cursor: string | null }>;

/** One stream of an execution, whole as far as the controller holds it. */
export type ExecutionOutput = Readonly<{
  stream: 'stdout' | 'stderr';
  /** What is held of it, in order; a gap is filled with nothing and `complete` is false. */
  bytes: Buffer;
  /** True once every byte that the node captured is here. */
  complete: boolean;
  /** True when the node dropped bytes past its max_output_bytes. */
  truncated: boolean;
}>;

export type NodeService = Readonly<{
  /** By node id. @throws {MusterError} invalid_request (the cursor) */
  list: (org: string, query: NodesQuery) => Promise<Page<NodeView>>;
  summary: (org: string) => Promise<NodesSummary>;
  get: (org: string, node: string) => Promise<NodeDetail | undefined>;
  groups: (org: string) => Promise<readonly GroupView[]>;
  /**
   * Replaces labels or groups; the node hears of it with its next welcome. Undefined when there is no such node.
   * @throws {MusterError} overloaded, storage_failed
   */
  change: (principal: Principal, node: string, change: ChangeNode) => Promise<NodeDetail | undefined>;
  /**
   * Revokes the key of a node: it is believed by nobody when this resolves, our broker has been told, and what was open
   * on it has ended. False when there is no such node. @throws {MusterError} overloaded, storage_failed
   */
  remove: (principal: Principal, node: string) => Promise<boolean>;
  /** What is offered, by name; of one node when it is named. @throws {MusterError} unknown_node */
  actions: (org: string, node?: string) => Promise<readonly ActionView[]>;
}>;

export type HookService = Readonly<{
  /** By node, then name. @throws {MusterError} invalid_request (the cursor) */
  list: (org: string, query: HooksQuery) => Promise<Page<HookView>>;
  /**
   * Pins a hook to the checksum that the caller has looked at; durable, with its audit row, when it resolves. Once more
   * does nothing more. Undefined when the node offers no such hook.
   * @throws {MusterError} hook_changed: the node has another one by now; overloaded, storage_failed
   */
  accept: (
    principal: Principal,
    hook: Readonly<{ node: string; name: string; checksum: string }>,
  ) => Promise<HookView | undefined>;
}>;

/** What an integration answered: JSON, in which secrets are redacted. */
export type ActionResult = Readonly<{ result: unknown; result_truncated: boolean }>;

export type InvocationService = Readonly<{
  /**
   * What `create` would come to now; nothing is stored.
   * @throws {MusterError} what `create` throws of the ask and its targets
   */
  preview: (principal: Principal, ask: CreateInvocation) => Promise<InvocationPreview>;
  /**
   * Stores the ask and starts delivering it; durable when it resolves. `replayed` is true when the same
   * `idempotencyKey`, principal and body came before. `bodySha256` is of the body's octets.
   * @throws {MusterError} unknown_action, unknown_node, unknown_group, no_target, invalid_parameter,
   *   missing_required_parameter, hook_changed, plan_changed, too_many_open, idempotency_conflict, forbidden,
   *   confirmation_required, too_many_pending, invalid_request, suspended, overloaded, storage_failed
   */
  create: (
    principal: Principal,
    ask: CreateInvocation,
    request: Readonly<{
      idempotencyKey?: string | undefined;
      bodySha256: string;
      /** Written with the invocation, in its transaction; not for one that came before. */
      also?: (tx: Queries, invocation: Readonly<{ id: string; createdAtMs: number }>) => Promise<void>;
    }>,
  ) => Promise<
    Readonly<{
      invocation: InvocationView;
      replayed: boolean;
      /** By node, as they were committed with the invocation; absent for one that came before. */
      executions?: () => ExecutionView[];
    }>
  >;
  /** What looks like a secret by its name is left out of the parameters, here and wherever invocations are shown. */
  get: (org: string, id: string) => Promise<InvocationView | undefined>;
  /** All of what it is asked with, for whoever may approve it. */
  parametersOf: (org: string, id: string) => Promise<AnyParameters | undefined>;
  /** What an integration answered, redacted and at most 10 KB; undefined while there is nothing, and for nodes. */
  resultOf: (org: string, id: string) => Promise<ActionResult | undefined>;
  /**
   * Runs what waits, as it was shown: `digest` is the one that the caller has seen. With `grant` the next ones like it
   * need no approval; when the approval fails there is no grant. Undefined when there is none such.
   * @throws {MusterError} conflict (decided already, another digest, changed nodes, asker gone), expired, forbidden,
   *   denied_by_policy, suspended, and what `create` throws of its targets
   */
  approve: (
    principal: Principal,
    id: string,
    ask: Readonly<{ digest: string; grant?: GrantWithApproval | undefined }>,
  ) => Promise<InvocationView | undefined>;
  /** Undefined when there is none such. @throws {MusterError} conflict (decided already), expired */
  deny: (
    principal: Principal,
    id: string,
    ask: Readonly<{ reason?: string | undefined }>,
  ) => Promise<InvocationView | undefined>;
  /** What waits for a person, oldest first. @throws {MusterError} invalid_request (the cursor) */
  pending: (org: string, page: PageRequest) => Promise<Page<InvocationView>>;
  /**
   * Wants its open executions to end; stored when it resolves, and asked of the nodes until they answer. Again is the
   * same. Undefined when there is no such invocation.
   * @throws {MusterError} conflict (it has ended), forbidden (somebody else's, for an operator), storage_failed
   */
  cancel: (
    principal: Principal,
    id: string,
    ask: Readonly<{ reason?: string | undefined }>,
  ) => Promise<InvocationView | undefined>;
  /** Newest first; of one asker when `created_by` names them. @throws {MusterError} invalid_request (the cursor) */
  list: (
    org: string,
    query: InvocationsQuery & Readonly<{ created_by?: string | undefined }>,
  ) => Promise<Page<InvocationView>>;
  /** By node id; undefined when there is no such invocation. @throws {MusterError} invalid_request (the cursor) */
  executions: (
    org: string,
    id: string,
    query: Omit<ExecutionsQuery, 'group_by'>,
  ) => Promise<Page<ExecutionView> | undefined>;
  /** The largest first; undefined when there is no such invocation. @throws {MusterError} invalid_request (the cursor) */
  executionGroups: (
    org: string,
    id: string,
    query: ExecutionsQuery & Readonly<{ group_by: GroupBy }>,
  ) => Promise<Page<ExecutionGroupView> | undefined>;
  execution: (org: string, id: string, node: string) => Promise<ExecutionView | undefined>;
  outputOf: (
    org: string,
    id: string,
    of: Readonly<{ node: string; stream: 'stdout' | 'stderr' }>,
  ) => Promise<ExecutionOutput | undefined>;
  /**
   * The invocation once it is terminal, or as it stands when `ms` are over or `signal` fires; undefined when there is
   * none. The waiter is freed in each case.
   */
  whenDone: (
    org: string,
    id: string,
    wait: Readonly<{ ms: number; signal?: AbortSignal | undefined }>,
  ) => Promise<InvocationView | undefined>;
}>;

export type PolicyService = Readonly<{
  /** The policy in force; version 0 is the shipped one. */
  read: (org: string) => Promise<PolicyView>;
  /** Undefined when there is no such version, or none any more. */
  readVersion: (org: string, version: number) => Promise<PolicyView | undefined>;
  /** Newest first. @throws {MusterError} invalid_request (the cursor) */
  versions: (org: string, page: PageRequest) => Promise<Page<PolicyVersionView>>;
  /**
   * Replaces the policy, if the version in force is an expected one; it is in force when it resolves.
   * @throws {MusterError} precondition_failed, conflict (it comes from a file), invalid_request, storage_failed
   */
  replace: (
    principal: Principal,
    policy: PolicyDocument,
    isExpected: (version: number) => boolean,
  ) => Promise<PolicyView>;
}>;

export type EnrollmentService = Readonly<{
  /** The answer holds the token, shown again for the same call alone. @throws {MusterError} idempotency_conflict */
  createToken: (
    principal: Principal,
    ask: CreateEnrollmentToken,
    once?: Once,
  ) => Promise<Readonly<z.infer<typeof EnrollmentTokenCreated>>>;
  /** Newest first. @throws {MusterError} invalid_request (the cursor) */
  listTokens: (org: string, page: PageRequest) => Promise<Page<EnrollmentTokenView>>;
  /** False when there is no such token. */
  deleteToken: (principal: Principal, id: string) => Promise<boolean>;
  /**
   * Answers a `muster-enroll` JWS with a `muster-enrolled` one; 201 also for a node that asks again.
   * @throws {MusterError} enrollment_token_invalid, node_id_taken, node_id_not_allowed, invalid_request
   */
  enroll: (jws: string) => Promise<Readonly<{ status: 201; jws: string }>>;
  /** For `renew`: works once, for a minute. */
  nonce: () => Readonly<{ nonce: string; expires_at: string }>;
  /** A new broker password for the node that signed. @throws {MusterError} unauthenticated, invalid_request */
  renew: (jws: string) => Promise<Readonly<{ username: string; password: string; expires_at: string }>>;
}>;

/** Actions on containers, for callers that name the container and not its node. */
export type ContainerService = Readonly<{
  /**
   * Asks the node on which the container runs; whoever may confirm counts as having done so. Each attempt is audited.
   * The same key for the same container gives the same invocation, also when the node has gone since.
   * @throws {MusterError} not_found, conflict (several are called so), node_offline, and what
   *   `InvocationService.create` throws
   */
  ask: (
    principal: Principal,
    ask: Readonly<{ container: string; verb: 'START' | 'STOP' | 'RESTART'; reason?: string | undefined }>,
    request: Readonly<{ idempotencyKey?: string | undefined; bodySha256: string }>,
  ) => Promise<InvocationView>;
  /**
   * As `InvocationService.whenDone`, for one that `ask` has made.
   * @throws {MusterError} node_offline: the connection of its node dropped meanwhile; what it had begun goes on
   */
  whenDone: (
    org: string,
    invocation: InvocationView,
    wait: Parameters<InvocationService['whenDone']>[2],
  ) => Promise<InvocationView | undefined>;
}>;

/** Who did what, and whether the records still say so. */
export type AuditService = Readonly<{
  /** Newest first; with filters a page may be short without being the last. @throws {MusterError} invalid_request */
  list: (org: string, query: AuditQuery) => Promise<Page<AuditView>>;
  /** What does not hold is in the report. @throws {MusterError} conflict (one at a time), storage_failed */
  verify: (
    ask: Readonly<{ kept?: Readonly<{ seq: number; hash: string }> | undefined; signal?: AbortSignal }>,
  ) => Promise<VerifyReport>;
}>;

/** A stored event as streams pass it on. */
export type FeedEvent = Readonly<{
  /** Grows by one with each event. */
  id: number;
  org: string;
  type: string;
  invocation: string | undefined;
  node: string | undefined;
  /** The whole event as JSON on one line. */
  text: string;
}>;

/** Events of all orgs that follow an id, and the id of the last one; no events when there are none yet. */
export type FeedPage = Readonly<{ events: readonly FeedEvent[]; last: number }>;

/** The log of events: what the store committed, in the order of commits. */
export type EventFeed = Readonly<{
  /** Begins to read; `head` is the id of the newest event. Whoever opens closes, once. */
  open: () => Promise<Readonly<{ head: number; close: () => void }>>;
  head: () => Promise<number>;
  /** The next events; `gone` when what follows this id is no longer held, or the id never was. */
  read: (after: number) => Promise<FeedPage | 'gone'>;
  /** Resolves when there are events after this id, when `ms` are over, or when the signal fires. */
  changed: (after: number, wait: Readonly<{ ms: number; signal: AbortSignal }>) => Promise<void>;
}>;

/** What a broker on another machine goes by, each a JWS. */
export type BrokerLists = Readonly<{
  keys: () => string;
  /** @throws {MusterError} unavailable (it could not be signed yet) */
  revocations: () => string;
}>;

/** All that the HTTP face may do. Who may call what (rules by role) is decided there; the org is passed down. */
export type Services = Readonly<{
  org: string;
  /** Who an `Authorization: Bearer` value speaks for; undefined when nobody. */
  authenticate: (bearer: string) => Promise<Principal | undefined>;
  nodes: NodeService;
  hooks: HookService;
  invocations: InvocationService;
  integrations: IntegrationService;
  policy: PolicyService;
  enrollment: EnrollmentService;
  people: PeopleService;
  tokens: TokenService;
  /** Undefined when there is no sign-in by OpenID Connect. */
  signIn: SignInService | undefined;
  sessions: SessionService;
  polling: PollingService;
  containers: ContainerService;
  sandboxes: SandboxService;
  grants: GrantService;
  /** The fleet and the invocations as this caller sees them: what lies beyond is not there. */
  seenBy: (principal: Principal) => Seen;
  /** How AI agents may ask over HTTP; undefined when they may not. */
  mcp: Readonly<{ hosts: readonly string[] }> | undefined;
  brokerCredentials: BrokerCredentialService;
  brokerLists: BrokerLists;
  events: EventFeed;
  audit: AuditService;
  /** Takes registered values out of answers: of what was asked the store has the original. */
  mask: Mask;
  suspension: SuspensionService;
  /** What it says of itself when it can work. */
  ready: string;
  /** Why the controller cannot work yet, as a sentence; undefined when it can. */
  notReady: () => string | undefined;
  metrics: () => Promise<Readonly<{ body: string; contentType: string }>>;
}>;
