import type { Fault, FaultKind } from './fault.js';
import { LAUNCH_MS } from './judge-outcome.js';

/** What the store of a controller says of an order on one node. */
export type NodeOutcome = Readonly<{
  executionId: string;
  /** Of the octets that the node was, or would have been, offered. */
  requestSha256: string | null;
  status: string;
  /** Why it was rejected, or the code of its error. */
  reason: string | null;
}>;

/** One order to many nodes that were away, and what has become of it. */
export type Order = Readonly<{
  /** Stands in the faults. */
  label: string;
  /** Everybody that it was for. */
  nodes: readonly string[];
  /** Milliseconds since 1970. */
  expiresMs: number;
  /** Whether its time was over before those that were away came back, ended in the middle of that, or went on. */
  window: 'over' | 'closing' | 'open';
  /** By node. */
  outcomes: ReadonlyMap<string, NodeOutcome>;
}>;

/** What a run of the hook wrote: `begin` as its first act, `end` as its last. Milliseconds since 1970. */
export type Mark = Readonly<{ act: 'begin' | 'end'; executionId: string; node: string; atMs: number }>;

/**
 * Whether each order was done once on each of its nodes in time, or never where its time was over, and nothing else was
 * done. Every order is one broadcast: all nodes have the same octets.
 */
export function judgeReturn(orders: readonly Order[], marks: readonly Mark[]): Fault[] {
  const runs = groupMarks(marks);
  const known = new Set(orders.flatMap(({ outcomes }) => [...outcomes].map(([node, one]) => keyOf(one, node))));
  return [
    ...orders.flatMap((order) => [
      ...judgeBroadcast(order),
      ...order.nodes.flatMap((node) => judgeNode(order, node, runs)),
    ]),
    ...[...runs.keys()]
      .filter((key) => !known.has(key))
      .map((key) => fault('doubled', `${key} was started and had never been asked for`)),
  ];
}

function judgeBroadcast({ label, outcomes }: Order): Fault[] {
  const requests = new Set([...outcomes.values()].map((each) => `${each.executionId} ${each.requestSha256}`));
  return requests.size <= 1 ? [] : [fault('other', `${label} is ${requests.size} requests`)];
}

function judgeNode({ label, expiresMs, window, outcomes }: Order, node: string, runs: Runs): Fault[] {
  const outcome = outcomes.get(node);
  const found = (kind: FaultKind, why: string): Fault => fault(kind, `${label} on ${node} ${why}`);
  if (outcome === undefined) return [found('lost', 'was accepted and is not in the store')];
  const own = runs.get(keyOf(outcome, node)) ?? [];
  const begins = own.filter(({ act }) => act === 'begin');
  const faults: Fault[] = [];
  if (begins.length > 1) faults.push(found('doubled', `was started ${begins.length} times`));
  const lateMs = Math.max(...begins.map(({ atMs }) => atMs - expiresMs));
  if (lateMs > LAUNCH_MS) faults.push(found('late', `was started ${Math.round(lateMs)} ms too late`));
  if (outcome.status === 'success') {
    if (!own.some(({ act }) => act === 'end')) faults.push(found('undefined', 'succeeded and never came to its end'));
  } else if (isExpired(outcome) && window !== 'open') {
    if (begins.length > 0) faults.push(found('undefined', 'was started and has expired'));
  } else {
    faults.push(found('lost', `ended as ${[outcome.status, outcome.reason].filter(Boolean).join(' ')}`));
  }
  return faults;
}

/** By whomever it is told. */
function isExpired({ status, reason }: NodeOutcome): boolean {
  return status === 'expired' || (['rejected', 'error'].includes(status) && reason === 'expired');
}

/** By execution and node. */
type Runs = ReadonlyMap<string, readonly Mark[]>;

function groupMarks(marks: readonly Mark[]): Runs {
  const runs = new Map<string, Mark[]>();
  for (const mark of marks) {
    const key = keyOf(mark, mark.node);
    const own = runs.get(key);
    if (own === undefined) runs.set(key, [mark]);
    else own.push(mark);
  }
  return runs;
}

function keyOf({ executionId }: Readonly<{ executionId: string }>, node: string): string {
  return `${executionId} on ${node}`;
}

function fault(kind: FaultKind, sentence: string): Fault {
  return { kind, sentence };
}
