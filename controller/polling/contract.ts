import type {
  AnnounceCapabilities,
  CreateNodeToken,
  FetchedAction,
  NodeTokenCreated,
  NodeTokenView,
  QueueAction,
} from '../http/polling-schemas.js';
import type { Report } from '../ingest/reported-result.js';
import type { Page, PageRequest, Principal } from '../services.js';
import type { Once } from '../store/made-once.js';
import type { PolledAck } from './acks.js';

/** A node that only polls, by its token. */
export type NodeCaller = Readonly<{ node: string; org: string }>;

/** Nodes without a connection to the broker: they fetch what is due, and say over HTTP what became of it. */
export type PollingService = Readonly<{
  /**
   * The answer holds the token, shown again for the same call alone. The first token of a name makes the node.
   * @throws {MusterError} node_id_taken (it has a key), node_id_not_allowed, conflict (groups of one that is known),
   *   idempotency_conflict
   */
  createToken: (principal: Principal, ask: CreateNodeToken, once?: Once) => Promise<NodeTokenCreated>;
  /** Newest first. @throws {MusterError} invalid_request (the cursor) */
  listTokens: (org: string, page: PageRequest) => Promise<Page<NodeTokenView>>;
  /** False when there is no such token. */
  deleteToken: (principal: Principal, id: string) => Promise<boolean>;
  /** The node that an `Authorization: Bearer` value stands for; undefined when none. */
  authenticate: (bearer: string) => Promise<NodeCaller | undefined>;
  /**
   * Asks for an action on one node, and gives the name under which the node will know it (F-26).
   * @throws {MusterError} rate_limited, and what `InvocationService.create` throws
   */
  queue: (
    principal: Principal,
    ask: QueueAction,
    request: Readonly<{ idempotencyKey?: string | undefined; bodySha256: string }>,
  ) => Promise<string>;
  /**
   * What is due, oldest first, at most 10. Under a `key` it is given again until it is acked, or until another key (or
   * none) says that the answer has arrived; without one it is given once. @throws {MusterError} rate_limited
   */
  fetch: (caller: NodeCaller, key: string | undefined) => Promise<readonly FetchedAction[]>;
  /** @throws {MusterError} not_found, conflict (not fetched, cancelled, ended), expired, rate_limited */
  ack: (caller: NodeCaller, name: string, ack: PolledAck) => Promise<void>;
  /** The first report stays. @throws {MusterError} not_found, conflict (not fetched, another report), rate_limited */
  report: (caller: NodeCaller, name: string, report: Report) => Promise<void>;
  /** What the node offers from now on. @throws {MusterError} rate_limited */
  announce: (caller: NodeCaller, announced: AnnounceCapabilities) => Promise<void>;
}>;
