import type { Generated } from 'kysely';
import type { GrantTable } from './grant-table.js';

/**
 * The tables as the queries see them. Portable on purpose: ids and JSON are text, times are milliseconds since 1970,
 * booleans are 0 or 1, so that the same queries run on PostgreSQL.
 */
export type Tables = Readonly<{
  meta: MetaTable;
  users: UserTable;
  identities: IdentityTable;
  api_tokens: ApiTokenTable;
  enrollment_tokens: EnrollmentTokenTable;
  nodes: NodeTable;
  node_keys: NodeKeyTable;
  node_groups: NodeGroupTable;
  hook_pins: HookPinTable;
  policies: PolicyTable;
  node_tokens: NodeTokenTable;
  invocations: InvocationTable;
  integrations: IntegrationTable;
  integration_results: IntegrationResultTable;
  idempotency_keys: IdempotencyKeyTable;
  requests: RequestTable;
  executions: ExecutionTable;
  results: ResultTable;
  outputs: OutputTable;
  action_ids: ActionIdTable;
  sandboxes: SandboxTable;
  sandbox_connections: SandboxConnectionTable;
  grants: GrantTable;
  audit: AuditTable;
  event_head: EventHeadTable;
  events: EventsTable;
  lease: LeaseTable;
  webhook_positions: WebhookPositionTable;
  webhooks_set_aside: WebhookSetAsideTable;
}>;

type MetaTable = { key: string; value: string };

type ApiTokenTable = {
  id: string;
  org: string;
  /** The user that it speaks for. */
  principal: string;
  /** At most this; what the user may not, the token may not either. */
  role: string;
  secret_sha256: string;
  created_at: number;
  name: string;
  created_by: string;
  expires_at: number | null;
  /** The token that it was made through, and ends with; null when there was none. */
  parent: string | null;
  /** The people who were shown it, as JSON. */
  holders: Generated<string>;
};

type UserTable = {
  org: string;
  id: string;
  role: string;
  password_hash: string | null;
  created_at: number;
  created_by: string;
  disabled_at: number | null;
  /** The people who set the password, while the user has not set another, as JSON. */
  password_holders: Generated<string>;
};

/** Which user somebody is whom the OpenID Connect provider knows; the user may have been deleted since. */
type IdentityTable = {
  org: string;
  /** The `iss` and the `sub` of the id token: together they name one person for ever. */
  issuer: string;
  subject: string;
  user_id: string;
  created_at: number;
};

type EnrollmentTokenTable = {
  id: string;
  org: string;
  secret_sha256: string;
  uses_left: number;
  expires_at: number;
  groups: string;
  labels: string;
  node_id_pattern: string | null;
  created_at: number;
  created_by: string;
};

type NodeTable = {
  node: string;
  org: string;
  kid: string;
  public_jwk: string;
  token_id: string;
  labels: string;
  enrolled_at: number;
  revoked_at: number | null;
  agent_version: string | null;
  boot_id: string | null;
  process_id: string | null;
  connection: number;
  started_at: string | null;
  last_seen_at: number | null;
  journal_epoch: string | null;
  journal_seq: number;
  welcome_seq: number;
  keys_version: number;
  /** Process ids that were current before, oldest first, as JSON: what they say is stale. */
  former_processes: string;
  password_expires_at: number;
  /** The groups that the newest password names, as JSON. */
  password_groups: string;
  capabilities_sha256: string | null;
  capabilities: string | null;
  /** `mqtt`, or `http` for a node that has no key and fetches its work with a token. */
  transport: Generated<string>;
};

/** What a node that only polls proves itself with. */
type NodeTokenTable = {
  id: string;
  org: string;
  node: string;
  secret_sha256: string;
  created_at: number;
  created_by: string;
};

/** The names under which nodes that poll know what was queued for them: `org:node:milliseconds`. */
type ActionIdTable = { action_id: string; org: string; node: string; invocation_id: string };

/** The restricted identity of a program, with the one token that it has. */
type SandboxTable = {
  id: string;
  org: string;
  /** Of one org each name is there once. */
  name: string;
  /** `running`, or `paused`: it reads what it asked for and asks for nothing. */
  status: string;
  token_id: string;
  secret_sha256: string;
  /** The people who were shown its tokens, as JSON. */
  holders: Generated<string>;
  /** When its token ends; null when it does not. */
  expires_at: number | null;
  created_at: number;
  created_by: string;
};

/** What a sandbox may ask for: exactly one of `integration` and `target` is there. */
type SandboxConnectionTable = {
  id: string;
  sandbox: string;
  /** Id of the integration. */
  integration: string | null;
  /** Selector of nodes, as JSON. */
  target: string | null;
  /** Patterns of action names, as JSON. */
  actions: string;
  created_at: number;
};

/** Every key of a node, also those that were revoked when it was removed. */
type NodeKeyTable = {
  kid: string;
  node: string;
  org: string;
  public_jwk: string;
  enrolled_at: number;
  revoked_at: number | null;
};

type NodeGroupTable = { node: string; group: string; since: number };

type HookPinTable = { node: string; hook: string; checksum: string; pinned_at: number };

/** Rows are added and never changed; the highest version of an org is in force. */
type PolicyTable = {
  org: string;
  version: number;
  /** `api` or `file`: where it came from. */
  source: string;
  /** The policy as JSON. */
  document: string;
  /** Of the document, in hex. */
  sha256: string;
  created_at: number;
  created_by: string;
};

type InvocationTable = {
  id: string;
  org: string;
  status: string;
  action: string;
  target: string;
  parameters: string;
  risk: string;
  timeout: string;
  reason: string | null;
  stream: number;
  spread: string | null;
  digest: string;
  created_at: number;
  created_by: string;
  /** The people who may be behind the ask, as JSON; null when there is nobody but `created_by`. */
  askers: string | null;
  approved_by: string | null;
  approved_at: number | null;
  expires_at: number;
  completed_at: number | null;
  error: string | null;
  total: number;
  /** `api`, or `local` for what a person ran on the node itself. */
  origin: string;
  /** The ask as it came, as JSON, while it waits for a person; null afterwards. */
  ask: string | null;
  /** Null until somebody wants it to end. */
  cancel_requested_at: number | null;
  cancel_requested_by: string | null;
  /** How it is cut into batches, as JSON; null when all its nodes are asked at once. */
  batch: string | null;
  /** How many of its batches have begun; null without batches. */
  batches_begun: number | null;
  /** When too many had failed for another batch to begin, or the policy was against it. */
  batch_stopped_at: number | null;
  /** The name of the integration whose action it is; null for what is asked of nodes. */
  integration: string | null;
  /** Which one that was; null when it has been removed since. */
  integration_id: string | null;
  /** Why an integration's action failed, as a code. */
  error_code: string | null;
};

/** Another system, and the credential for it. */
type IntegrationTable = {
  id: string;
  org: string;
  name: string;
  adapter: string;
  base_url: string;
  /** Where the token comes from when an action runs. */
  provider: string;
  /** What the provider has to know and is no secret, as JSON. */
  settings: string;
  /** The secret, under a key that is not in the store. */
  sealed: string;
  /** `active` or `disabled`. */
  status: string;
  created_at: number;
  created_by: string;
};

/** What an integration answered: redacted, cut to 10 KB, JSON. */
type IntegrationResultTable = { invocation_id: string; result: string; sha256: string; truncated: number };

type IdempotencyKeyTable = {
  principal: string;
  key: string;
  body_sha256: string;
  /** The id of the invocation, user or token that was made. */
  made_id: string;
  created_at: number;
};

/** Request octets, fixed when an execution first leaves `queued`; one row for all nodes of a broadcast. */
type RequestTable = { execution_id: string; sha256: string; payload: string; issued_at: number };

type ExecutionTable = {
  execution_id: string;
  node: string;
  invocation_id: string;
  status: string;
  /** 1 while it may still change: neither refused, expired nor ended. */
  open: number;
  reason: string | null;
  provisional: number;
  unreachable: number;
  /** 1 once it may have reached its node and is to end. */
  cancelling: Generated<number>;
  /** Null until its octets are fixed. */
  request_sha256: string | null;
  /** The hook's checksum that was asked for; null for a built-in. */
  checksum: string | null;
  expires_at: number;
  /** How long after its acceptance a result is due. */
  timeout_ms: number;
  sent_at: number | null;
  accepted_at: number | null;
  ended_at: number | null;
  /** What the controller itself concluded; a result's own code stands in its payload. */
  error_code: string | null;
  /** Under which key a node fetched it over HTTP; empty when it named none, null when it did not fetch it. */
  handed_as: Generated<string | null>;
  /** Which batch it belongs to, from 1; null without batches. */
  batch: number | null;
};

/**
 * The signed result as it came: evidence that anybody with the node's public key can check. When it held a registered
 * value, that is `sealed`, and `jws` has a masked copy without header and signature.
 */
type ResultTable = {
  execution_id: string;
  node: string;
  status: string;
  payload_sha256: string;
  jws: string;
  chunks: number;
  received_at: number;
  /** By these like results are found; see outcome-columns.ts. */
  exit_code: number | null;
  error_code: string | null;
  output_sha256: string | null;
  /** `signature`; or `token`: header and signature are empty, and only the token of its node vouches for it. */
  evidence: Generated<string>;
  /** What came, under a key that is not in the store; null when `jws` is what came. */
  sealed: string | null;
};

type OutputTable = {
  execution_id: string;
  node: string;
  seq: number;
  stream: string;
  offset: number;
  data: string;
  encoding: string;
  last: number;
  /** What came, under a key that is not in the store; null when `data` is what came. */
  sealed: string | null;
  /** How many octets came, when `data` is not what came. */
  octets: number | null;
};

type AuditTable = {
  seq: Generated<number>;
  at: number;
  org: string;
  actor: string;
  event: string;
  subject: string;
  details: string;
  prev_hash: string;
  hash: string;
};

/** One row, `head`: the id of the newest event. */
type EventHeadTable = { name: string; last_id: number };

/** Events `first_id` to `last_id`, all of one org and one commit, as a JSON array. */
type EventsTable = { last_id: number; first_id: number; org: string; at: number; body: string };

/** One row: who leads, where the others reach it, and until when by the clock of the database. */
type LeaseTable = {
  id: number;
  /** One more with each term: what an earlier term writes is refused. */
  fence: number;
  holder: string;
  address: string;
  /** The connection that the holder keeps open, so that its death is seen at once. */
  session: string;
  expires_at: number;
};

/** The last event that a webhook was told of, or that was none of its business. */
type WebhookPositionTable = { name: string; last_event_id: number };

/** An event that a webhook refused and is told of again, while later ones go on. */
type WebhookSetAsideTable = { name: string; event_id: number };
