import { ack, api, type ErrorEntry, type ErrorVoice, entry, refusal, result, startup } from './error-entry.js';

/**
 * Every failure that a peer, an operator or a metric may be told of.
 * A code is public: never renamed, never reused. docs/reference/errors.md is made from here.
 */
export const ERROR_CODES = {
  // An envelope that is not believed. Counted and logged, never answered.
  envelope_too_large: refusal(
    'the message is larger than max_packet_bytes',
    'raise max_packet_bytes on every part, or send less',
  ),
  envelope_malformed: refusal(
    'the message is not a JWS in compact serialization with canonical base64url',
    'sign as topics.md says',
  ),
  envelope_algorithm: refusal(
    'the header names an algorithm other than EdDSA, or carries a field that we do not accept',
    'sign with Ed25519 and only alg, typ and kid in the header',
  ),
  envelope_type: refusal(
    'the header names another typ than this topic carries',
    'publish each message on the topic that the table in topics.md names',
  ),
  unknown_key: refusal('no key with this kid is known', 'enroll the node, or renew the key list'),
  key_not_allowed: refusal('the key may not sign this typ', 'sign with the key of the right part'),
  key_list_expired: refusal(
    'the key list has passed its not_after',
    'let the controller reach the node once, so that it sends a newer list',
  ),
  bad_signature: refusal('the signature does not hold', 'look for an intruder, or for a broken client'),
  payload_malformed: refusal('the signed bytes are not UTF-8 JSON', 'send JSON'),
  payload_invalid: refusal(
    'the payload does not fit its schema',
    'compare it with the JSON Schema in docs/reference/schemas',
  ),
  unknown_version: refusal('the payload has a v that this release does not speak', 'upgrade the older side'),
  wrong_audience: refusal(
    'org, node or topic do not agree, or the message is for somebody else',
    'publish on the addressed topic',
  ),
  stale: refusal(
    'the message is outside its time, or from an earlier connection or process',
    'nothing: late and repeated messages are expected',
  ),
  replayed: refusal('a message that works once came again', 'nothing: repeated messages are expected'),
  topic_invalid: refusal(
    'a topic level is empty, too long or holds a reserved character',
    'use ids of letters, digits, _ and -',
  ),
  unknown_execution: refusal(
    'the message speaks of an execution that was never asked of this node',
    'look for an intruder, or a store restored from an older copy',
  ),
  wrong_request: refusal(
    'the message answers other request octets than those that were sent',
    'look for an intruder, or a store restored from an older copy',
  ),
  conflicting_result: refusal(
    'a different result for an execution that already has one',
    'read the audit entry and both results',
  ),

  // Why an agent does not take a request (the ack's reason).
  actions_disabled: ack(false, 'agent.enabled is false on the node', 'enable actions on the node'),
  shutting_down: ack(true, 'the agent is stopping', 'nothing: it is offered again'),
  duplicate_execution_id: ack(false, 'this execution id was seen before', 'nothing: the first request counts'),
  not_yet_valid: ack(true, 'issued_at lies ahead, or the agent has had no welcome yet', 'nothing: it is offered again'),
  before_epoch: ack(false, 'the request is older than the journal of the node', 'ask again with a new invocation'),
  max_concurrent_reached: ack(
    true,
    'agent.max_concurrent actions are already running, or the agent restarted too often to take what does not only read',
    'nothing: it is offered again when there is room',
  ),
  unknown_action: entry(['ack', 'api'], {
    http: 422,
    meaning: 'no target offers an action of this name',
    next: 'list what is offered with: muster actions',
  }),
  wrong_target: ack(false, 'the node was not a member of the target at roster_at', 'target the node itself'),
  storage_failed: entry(['ack', 'api'], {
    http: 503,
    retryable: true,
    meaning: 'the record could not be written to disk',
    next: 'free disk space, or mend the disk or the way to the database; it is tried again',
  }),
  expired: entry(['ack', 'result', 'api'], {
    http: 410,
    meaning: 'the time in which it might start has passed',
    next: 'ask again, with a longer expires_in if the link is slow',
  }),
  cancelled: entry(['ack', 'result'], {
    meaning: 'it was cancelled before it started',
    next: 'ask again if it is still wanted',
  }),

  // Why an accepted execution ended as error (the result's error_code).
  hook_not_found: result('the hook file is gone', 'put it back, or ask for another action'),
  hook_not_executable: result(
    'the hook is not a regular executable file that only its owner may write',
    'chmod 755 the file and look who owns it',
  ),
  integrity_check_failed: result(
    'the SHA-256 of the hook is not the one in the request',
    'compare the file on the node; accept the change at the controller if it is yours',
  ),
  sandbox_unavailable: result(
    'the sandbox that the sidecar asks for is not available on the node',
    'install it, or set sandbox to none in the sidecar',
  ),
  missing_required_parameter: entry(['result', 'api'], {
    http: 422,
    meaning: 'a required parameter is missing',
    next: 'give it as name=value',
  }),
  invalid_parameter: entry(['result', 'api'], {
    http: 422,
    meaning: 'a parameter does not fit the announced specification',
    next: 'read the specification with: muster actions NODE',
  }),
  not_allowed_on_node: result(
    'the settings of the node do not list what the action asks for',
    'add it, on the node, to the setting that the error names',
  ),
  not_supported_on_node: result(
    'the node lacks what the action needs',
    'read the error, then install or start what it names',
  ),
  reboot_not_seen: result(
    'the node took the order to reboot and stayed up',
    'look at what holds it back, such as an inhibitor of systemd, then ask again',
  ),
  container_not_found: result(
    'the container engine of the node knows no such container',
    'list what there is with: muster run container_list --node NODE',
  ),
  own_container: result(
    'the agent runs in this container, and would end before it could tell what came of it',
    'stop or restart it on the node itself',
  ),
  engine_unavailable: result(
    'no container engine answers on its socket',
    'start the engine, or name its socket in agent.containers_socket',
  ),
  engine_permission_denied: result(
    'the agent may not use the container engine, or not for this',
    'let the user of the agent use the socket that the error names',
  ),
  engine_timeout: result(
    'the container engine gave no answer in time, so what it did is known only as far as the state afterwards tells',
    'look at the engine, then list the containers and ask again',
  ),
  engine_refused: result(
    'the container engine did not do it, and the error has its words',
    'mend what they say, then ask again',
  ),
  engine_answer_invalid: result(
    'what answers on the socket does not answer as a container engine does',
    'look what listens on the socket that agent.containers_socket names',
  ),
  engine_version_refused: result(
    'the container engine does not speak this version of its interface',
    'upgrade the engine, or the agent',
  ),
  interrupted: result(
    'the agent ended while the action was under way; launched says whether it had started',
    'look at the node, then ask again',
  ),
  start_failed: result(
    'the operating system did not start the program',
    'read the error text, then look at the file on the node',
  ),
  journal_lost: result('the node lost its journal, so nobody knows whether it ran', 'look at the node, then ask again'),
  agent_lost: result(
    'no result came in time; a late signed result still replaces this',
    'look at the node and its link',
  ),
  node_removed: result(
    'the node was removed while it was under way, so nobody will say whether it ran',
    'look at the device',
  ),
  internal: entry(['result', 'api'], {
    http: 500,
    meaning: 'a fault in Muster itself',
    next: 'read the log of that process and report it',
  }),

  // What the REST API answers (RFC 9457, member code).
  malformed_json: api(400, 'the body is not JSON', 'send a JSON object'),
  request_timeout: api(408, 'the request did not arrive in time', 'send it whole within 30 s', true),
  headers_too_large: api(431, 'the head of the request is too large', 'send fewer or shorter headers'),
  body_too_large: api(413, 'the body is larger than 256 KiB', 'send less'),
  unsupported_media_type: api(415, 'the body is not application/json', 'set Content-Type: application/json'),
  invalid_request: api(
    400,
    'a field is unknown, missing or out of bounds',
    'correct what is named; errors[] of the answer points to each field',
  ),
  unauthenticated: api(
    401,
    'no valid token came with the request',
    'log in with: muster login, or send a token that muster token create has made',
  ),
  sign_in_failed: api(
    401,
    'nobody was signed in at the OpenID Connect provider, or not for this',
    'begin anew: muster login --sso, or the page that you came from',
  ),
  sign_in_not_set_up: api(
    404,
    'this controller has no OpenID Connect provider',
    'log in with a password: muster login --user NAME; or have controller.oidc and controller.public_url set (docs/operate.md)',
  ),
  signed_in_already: api(
    409,
    'the link is of somebody else than the browser is signed in as',
    'if you want that, sign out and open another link: muster dashboard',
  ),
  sign_in_unavailable: api(
    503,
    'the OpenID Connect provider cannot be reached, or does not answer as it should',
    'try again; log in with a password meanwhile, and read the log of the controller',
    true,
  ),
  forbidden: api(403, 'the caller may not do this', 'ask somebody with the role that it needs'),
  denied_by_policy: api(
    403,
    'the policy denies this action',
    'read the invocation, then ask an owner to change the policy',
  ),
  confirmation_required: api(
    403,
    'the action changes something and was not confirmed',
    'send confirm: true, or run the CLI with --yes',
  ),
  reason_required: api(
    403,
    'a target is protected by the policy, and the ask gives no reason',
    'send reason, or run the CLI with --reason',
  ),
  precondition_required: api(
    428,
    'the call would overwrite what others may have changed',
    'read the record and send its ETag as If-Match',
  ),
  precondition_failed: api(412, 'the record was changed since it was read', 'read it again and make the change anew'),
  method_not_allowed: api(405, 'the address does not take this method', 'use a method that the Allow header names'),
  not_found: api(404, 'there is nothing under this address', 'list what there is and use an id from the list'),
  outside_sandbox: api(403, 'no connection of the sandbox names it', 'make a sandbox with other connections'),
  unknown_integration: api(
    422,
    'no active integration has this name',
    'list the integrations with: muster integration list',
  ),
  integration_failed: api(
    502,
    'the system behind an integration refused, failed or did not answer in time',
    'read the error of the invocation: it holds the status and the words of that system',
  ),
  integration_gone: api(
    409,
    'the integration was removed or disabled, or the controller does not know its adapter any more',
    'add it again, then ask again',
  ),
  outcome_unknown: api(
    502,
    'nobody knows whether an integration did what it was asked: the answer, or the controller, was lost meanwhile',
    'look at the system behind the integration before you ask again',
  ),
  unknown_node: api(422, 'no node of this name is enrolled', 'list the nodes with: muster nodes'),
  node_offline: api(
    503,
    'the node is not connected, and this address does not wait for it',
    'try again when it is back, or ask through POST /api/v1/invocations, which waits for it',
    true,
  ),
  suspended: api(
    503,
    'the controller was restored from an older copy and starts nothing',
    'look at what is open with: muster invocations, then let an owner run: muster resume',
  ),
  unknown_group: api(422, 'no node is a member of this group', 'list the groups with: muster nodes'),
  no_target: api(422, 'the selector matches no node', 'widen the selector, or enroll nodes'),
  hook_changed: api(
    409,
    'the hook has another checksum than the one that was pinned',
    'look at the file on the node, and accept the change if it is yours: muster hooks',
  ),
  idempotency_conflict: api(409, 'this Idempotency-Key was used with another body', 'use a new key for a new ask'),
  plan_changed: api(
    409,
    'the nodes, a hook or a definition are others than in the preview whose digest came with the ask',
    'look again (muster run --dry-run) and ask with the new digest',
  ),
  conflict: api(409, 'the record is no longer in a state that allows this', 'read the record again'),
  too_many_open: api(
    429,
    'a node has, or all nodes have, too many open executions',
    'wait until some have ended, or cancel some',
    true,
  ),
  too_many_pending: api(
    429,
    'too many of your asks wait for a person',
    'wait until some are approved, denied or expired, or cancel some',
    true,
  ),
  rate_limited: api(429, 'too many requests', 'wait as long as Retry-After says', true),
  overloaded: api(503, 'the controller has more to write than it can', 'wait as long as Retry-After says', true),
  enrollment_token_invalid: api(
    401,
    'the enrollment token is unknown, used up or expired',
    'make a new one with: muster enroll-token create',
  ),
  node_id_taken: api(
    409,
    'a node of this name is enrolled with another key',
    'choose another node id, or remove the old node',
  ),
  node_id_not_allowed: api(403, 'the token does not allow this node id', 'use an id that fits the token'),

  // Why a process does not start or a command does not run.
  config_invalid: startup('the configuration has faults', 'correct every line that is named'),
  data_dir_unusable: startup(
    'the data directory cannot be used',
    'choose another with --data, or mend its owner and mode',
  ),
  store_too_new: startup(
    'the store was written by a newer release',
    'start that release again, or put back a copy of the store from before it',
  ),
  already_running: startup(
    'another process uses this data directory',
    'stop it, or choose another directory with --data',
  ),
  port_in_use: startup('the port is taken', 'stop what listens there, or choose another port'),
  enrollment_failed: startup(
    'the controller did not enroll this node',
    'read the reason and make a new token if need be',
  ),
  unavailable: entry(['startup', 'api'], {
    http: 503,
    retryable: true,
    meaning: 'the controller or the broker cannot be reached',
    next: 'start it with: muster up',
  }),
  not_connected: startup('there is no connection to the broker', 'nothing: it is tried again'),
  deadline_passed: startup('a peer did not answer in time', 'look at the link and at the peer'),
  unsafe_key: startup('the key is not an Ed25519 key that may be trusted', 'make a new key'),
  agent_not_found: startup('no agent answers on the local socket', 'start it, or name its socket with --socket'),
  not_a_local_user: startup(
    'the user may not ask the agent of this node',
    'ask as root or as the user of the agent, or have an administrator list the user in agent.local_users',
  ),
  too_many_callers: startup('the local socket has too many callers', 'try again'),
  usage: startup('the command line is wrong', 'read muster help'),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** A failure that we foresaw and can name. Any other exception is a bug and ends the process. */
export class MusterError extends Error {
  override readonly name = 'MusterError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.code = code;
  }

  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }
}

/** True for a {@link MusterError}, of this code when one is given. */
export function isMusterError(error: unknown, code?: ErrorCode): error is MusterError {
  return error instanceof MusterError && (code === undefined || error.code === code);
}

/** The codes that are spoken in this place, in the order of the table. */
export function codesOf(voice: ErrorVoice): ErrorCode[] {
  return Object.entries<ErrorEntry>(ERROR_CODES).flatMap(([code, { voices }]) =>
    voices.includes(voice) ? [code as ErrorCode] : [],
  );
}
