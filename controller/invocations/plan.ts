import { parseDuration } from '../../protocol/durations.js';
import { sha256Hex } from '../../protocol/envelope.js';
import { MusterError } from '../../protocol/errors.js';
import type { Risk } from '../../protocol/messages/capabilities.js';
import { MAX_REQUEST_WINDOW_MS, type Target } from '../../protocol/messages/request.js';
import type { Batch } from '../http/batch-schemas.js';
import type { CreateInvocation } from '../http/schemas.js';
import { namedContainers } from '../nodes/announced-containers.js';
import { checkParameters, definitionOf, type Offer } from '../nodes/catalogue.js';
import type { NodeRecord } from '../nodes/registry.js';
import type { Question } from '../policy/decide.js';
import type { PolicyDocument } from '../policy/document.js';
import { type ActionKind, riskOf } from '../policy/risks.js';
import type { SeenNodes } from '../sandboxes/reach.js';
import { type Batches, batchesOf, refuseTooSlow } from './batches.js';
import { resolveTargets } from './targets.js';

/** A node of a plan, and the checksum that it has to find; null for what is no hook there. */
export type PlannedTarget = Readonly<{ record: NodeRecord; checksum: string | null }>;

/** What an ask comes to, before anything is stored. */
export type Plan = Readonly<{
  targets: readonly PlannedTarget[];
  risk: Risk;
  /** As what the targets offer the action. */
  kinds: readonly ActionKind[];
  timeout: string;
  timeoutMs: number;
  expiresInMs: number;
  digest: string;
  /** Every different thing that runs under the name on some target. */
  definitions: () => readonly string[];
  /** Set when one request may serve all targets that have a journal. */
  broadcast: Exclude<Target, { node: string }> | undefined;
  batches: Batches | undefined;
}>;

/** A node, and what runs there: of a hook its checksum and what its sandbox lets it reach. */
export type ShownTarget =
  | readonly [node: string, checksum: string | null]
  | readonly [
      node: string,
      checksum: string,
      sandbox: Readonly<{ kind: string; network: boolean; writable: readonly string[] }>,
    ];

const DEFAULT_TIMEOUT = '30s';
/** Parameters in all requests of one ask, in bytes of JSON. */
const MAX_PARAMETERS_IN_ALL = 64 * 1024 * 1024;
/** A refusal names this many nodes. */
const MAX_NAMED = 5;

/**
 * Holds an ask against what its targets announced.
 * @throws {MusterError} unknown_node, unknown_group, no_target, unknown_action, missing_required_parameter,
 *   invalid_parameter, hook_changed, invalid_request
 */
export function planInvocation(
  registry: SeenNodes,
  {
    org,
    ask,
    policy,
    defaultExpiresInMs,
  }: { org: string; ask: CreateInvocation; policy: PolicyDocument; defaultExpiresInMs: number },
): Plan {
  const records = resolveTargets(registry, org, ask.target);
  const offers = offersOf(records, ask.action);
  if (offers.length === 0) throw new MusterError('unknown_action', `No target offers the action ${ask.action}`);
  for (const offer of offers) checkParameters(offer, ask.parameters);

  const targets = pinTargets(records, ask.action);
  const expiresInMs = windowOf(ask, defaultExpiresInMs);
  const batches = ask.batch === undefined ? undefined : batchesOf(ask.batch, targets.length);
  if (batches !== undefined) refuseTooSlow(batches, expiresInMs);
  const timeout = ask.timeout ?? longestTimeout(offers);
  const spreadMs = spreadOf(ask, Math.min(expiresInMs, batches?.waitMs ?? expiresInMs));
  const broadcast = broadcastOf(ask, targets);
  if (broadcast === undefined) refuseTooLarge(ask, targets.length);
  return {
    targets,
    risk: riskOf(
      policy,
      ask.action,
      offers.map(({ kind, spec }) => ({ kind, announced: spec.risk })),
    ),
    kinds: [...new Set(offers.map(({ kind }) => kind))],
    timeout,
    timeoutMs: Math.ceil(Math.min(parseDuration(timeout) ?? 0, MAX_REQUEST_WINDOW_MS) + spreadMs),
    expiresInMs,
    batches,
    digest: digestOf(
      ask,
      timeout,
      targets.map((target) => shownOf(target, ask.action)),
    ),
    definitions: () => [...new Set(offers.map(definitionOf))],
    broadcast,
  };
}

/** The ids of the targets. */
export function nodesOf({ targets }: Plan): string[] {
  return targets.map(({ record }) => record.node);
}

/** What the policy has to say yes or no to. */
export function questionOf(
  { targets, kinds, risk, definitions }: Plan,
  { action, parameters, reason, confirm }: Pick<CreateInvocation, 'action' | 'parameters' | 'reason' | 'confirm'>,
): Question {
  const nodes = targets.map(({ record }) => record);
  const containers = namedContainers(nodes, parameters);
  return { action, kinds, risk, nodes, containers, definitions, reason, confirmed: confirm };
}

/** Each different offer once; nodes that announce the same share the object. */
function offersOf(records: readonly NodeRecord[], action: string): Offer[] {
  return [...new Set(records.map(({ catalogue }) => catalogue?.get(action)))].filter((offer) => offer !== undefined);
}

/**
 * Every target with the checksum that it has to find.
 * @throws {MusterError} hook_changed
 */
function pinTargets(records: readonly NodeRecord[], action: string): PlannedTarget[] {
  const changed: string[] = [];
  const targets = records.map((record) => {
    const offer = record.catalogue?.get(action);
    if (offer?.kind !== 'hook') return { record, checksum: null };
    if (record.pins.get(action) !== offer.checksum) changed.push(record.node);
    return { record, checksum: offer.checksum };
  });
  if (changed.length === 0) return targets;
  const shown = changed.slice(0, MAX_NAMED).join(', ');
  const more = changed.length > MAX_NAMED ? ` and ${changed.length - MAX_NAMED} more` : '';
  throw new MusterError('hook_changed', `The hook ${action} is not the one that was pinned on ${shown}${more}`);
}

/** The node takes the least of this and its own, so the longest definition serves all. */
function longestTimeout(offers: readonly Offer[]): string {
  const announced = offers.flatMap(({ spec }) => (spec.timeout === undefined ? [] : [spec.timeout]));
  const readable = announced.filter((text) => (parseDuration(text) ?? 0) > 0);
  return readable.reduce(
    (a, b) => ((parseDuration(b) ?? 0) > (parseDuration(a) ?? 0) ? b : a),
    readable[0] ?? DEFAULT_TIMEOUT,
  );
}

function windowOf({ expires_in }: CreateInvocation, defaultMs: number): number {
  const ms = Math.ceil(expires_in === undefined ? defaultMs : (parseDuration(expires_in) ?? 0));
  if (ms > MAX_REQUEST_WINDOW_MS) throw new MusterError('invalid_request', 'expires_in may be 7 days (168h) at most');
  return ms;
}

/** What could not start before it expires on some nodes is refused. @throws {MusterError} invalid_request */
function spreadOf({ spread }: CreateInvocation, acceptInMs: number): number {
  const ms = spread === undefined ? 0 : (parseDuration(spread) ?? 0);
  if (ms < acceptInMs) return ms;
  throw new MusterError(
    'invalid_request',
    'The spread is as long as a node has to accept it: shorten it, or give it more time',
  );
}

/** A request for each node is made, held and stored with the parameters in it. @throws {MusterError} invalid_request */
function refuseTooLarge({ parameters }: CreateInvocation, nodes: number): void {
  if (Buffer.byteLength(JSON.stringify(parameters)) * nodes <= MAX_PARAMETERS_IN_ALL) return;
  throw new MusterError(
    'invalid_request',
    `The parameters are too large for ${nodes} nodes with a request each: ask a group or the fleet, or fewer nodes`,
  );
}

/** SHA-256 of what is asked: whoever approves names it, and so approves this and nothing else. */
export function digestOf(
  ask: Pick<CreateInvocation, 'action' | 'target' | 'parameters' | 'stream' | 'spread' | 'batch'>,
  timeout: string,
  nodes: readonly ShownTarget[],
): string {
  const { action, target, parameters, stream, spread = null, batch } = ask;
  const sorted = Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1));
  return sha256Hex(
    JSON.stringify([
      action,
      target,
      sorted,
      timeout,
      stream,
      spread,
      nodes,
      ...(batch === undefined ? [] : [cutOf(batch)]),
    ]),
  );
}

/** In one order, whatever order the caller wrote it in. */
function cutOf({ size, pause, wait, max_failed }: Batch): unknown {
  return [size, pause ?? null, wait ?? null, max_failed];
}

function shownOf({ record, checksum }: PlannedTarget, action: string): ShownTarget {
  const offer = record.catalogue?.get(action);
  if (offer?.kind !== 'hook') return [record.node, checksum];
  const { sandbox: kind, network = false, writable = [] } = offer.spec;
  return [record.node, offer.checksum, { kind, network, writable }];
}

/** A hook is broadcast only when every target pins the same checksum; batches are for some nodes of a group. */
function broadcastOf({ target, batch }: CreateInvocation, targets: readonly PlannedTarget[]): Plan['broadcast'] {
  const agree = targets.every(({ checksum }) => checksum === targets[0]?.checksum);
  if (!agree || targets.length < 2 || batch !== undefined) return undefined;
  if ('fleet' in target) return { fleet: true };
  return 'group' in target ? { group: target.group } : undefined;
}
