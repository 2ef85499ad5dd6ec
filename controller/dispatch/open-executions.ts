/** `held`: its batch has not begun; `queued`: to be offered; `sent`: offered, no ack yet; `accepted`: a result is awaited. */
export type OpenState = 'held' | 'queued' | 'sent' | 'accepted';

/** An execution that is not at its end. Changed in place by the dispatcher and the ingest, after the store. */
export type OpenExecution = {
  readonly executionId: string;
  readonly node: string;
  readonly invocationId: string;
  /** Set anew when its batch begins. */
  expiresAtMs: number;
  /** How long after its acceptance a result is due. */
  readonly timeoutMs: number;
  readonly checksum: string | null;
  state: OpenState;
  /** Null until its octets are fixed. */
  requestSha256: string | null;
  /** True once it may have reached the node, also before a restart of ours. */
  offered: boolean;
  acceptedAtMs: number | null;
  /** Offers since the last hello or rejection. */
  attempts: number;
  /** Not offered before this, monotonic milliseconds. */
  notBeforeMs: number;
  /** True when its node was full for it, and nothing has ended there since. */
  wasFull: boolean;
  /** When it was first offered, monotonic. */
  firstOfferedMs: number | undefined;
  /** When the first of the offers that nobody answered went out, monotonic; undefined when none is unanswered. */
  unansweredSinceMs: number | undefined;
  unreachable: boolean;
  /** True once it is to end: it is offered no more, and its node is told so until it answers. */
  cancelling: boolean;
  /** When a missing result is concluded to be lost, monotonic; set with `accepted`. */
  lostAtMs: number | undefined;
};

/** What every execution needs to know to be waited for. */
export type NewOpenExecution = Pick<
  OpenExecution,
  | 'executionId'
  | 'node'
  | 'invocationId'
  | 'expiresAtMs'
  | 'timeoutMs'
  | 'checksum'
  | 'state'
  | 'requestSha256'
  | 'offered'
>;

/** The open executions of one node by state, each oldest first. */
export type NodeQueue = Readonly<Record<OpenState, ReadonlyMap<string, OpenExecution>>>;

/** Every open execution, in memory: a copy of what is committed, so that acks and offers need no query. */
export type OpenExecutions = Readonly<{
  add: (execution: NewOpenExecution) => OpenExecution;
  get: (executionId: string, node: string) => OpenExecution | undefined;
  remove: (execution: OpenExecution) => void;
  move: (execution: OpenExecution, state: OpenState) => void;
  of: (node: string) => NodeQueue;
  all: () => Iterable<OpenExecution>;
  nodes: () => Iterable<string>;
  /** The nodes that have open executions, and those of each. */
  queues: () => Iterable<readonly [node: string, NodeQueue]>;
  countOf: (node: string) => number;
  countAll: () => number;
  countByState: () => Readonly<Record<OpenState, number>>;
  /** In any order. */
  ofInvocation: (invocationId: string) => ReadonlySet<OpenExecution>;
  /** The invocations that have executions which wait for their batch, and how many of each are open and do not. */
  rollouts: () => Iterable<Readonly<{ invocationId: string; begun: number }>>;
}>;

type MutableQueue = Record<OpenState, Map<string, OpenExecution>> & {
  /** The greatest execution id that each state has held since the node had none. */
  readonly newest: Record<OpenState, string>;
};

const EMPTY: NodeQueue = { held: new Map(), queued: new Map(), sent: new Map(), accepted: new Map() };
const NONE: ReadonlySet<OpenExecution> = new Set();
const STATES: readonly OpenState[] = ['held', 'queued', 'sent', 'accepted'];

export function createOpenExecutions(): OpenExecutions {
  const nodes = new Map<string, MutableQueue>();
  const counts: Record<OpenState, number> = { held: 0, queued: 0, sent: 0, accepted: 0 };
  /** By invocation. */
  const invocations = new Map<string, { readonly executions: Set<OpenExecution>; held: number }>();

  function enter(execution: OpenExecution): void {
    const { invocationId, state } = execution;
    counts[state] += 1;
    const of = invocations.get(invocationId) ?? { executions: new Set(), held: 0 };
    of.executions.add(execution);
    if (state === 'held') of.held += 1;
    invocations.set(invocationId, of);
  }

  function leave(execution: OpenExecution): void {
    const { invocationId, state } = execution;
    counts[state] -= 1;
    const of = invocations.get(invocationId);
    if (of === undefined) return;
    of.executions.delete(execution);
    if (state === 'held') of.held -= 1;
    if (of.executions.size === 0) invocations.delete(invocationId);
  }

  function queueOf(node: string): MutableQueue {
    const known = nodes.get(node);
    if (known !== undefined) return known;
    const made: MutableQueue = {
      held: new Map(),
      queued: new Map(),
      sent: new Map(),
      accepted: new Map(),
      newest: { held: '', queued: '', sent: '', accepted: '' },
    };
    nodes.set(node, made);
    return made;
  }

  function put(execution: OpenExecution): void {
    const queue = queueOf(execution.node);
    const { state, executionId } = execution;
    insertInOrder(queue[state], execution, queue.newest[state]);
    if (executionId > queue.newest[state]) queue.newest[state] = executionId;
    enter(execution);
  }

  function take(execution: OpenExecution): void {
    const { node, state, executionId } = execution;
    if (nodes.get(node)?.[state].delete(executionId)) leave(execution);
  }

  function get(executionId: string, node: string): OpenExecution | undefined {
    const queue = nodes.get(node);
    return (
      queue?.sent.get(executionId) ??
      queue?.accepted.get(executionId) ??
      queue?.queued.get(executionId) ??
      queue?.held.get(executionId)
    );
  }

  return {
    get,
    add(execution) {
      const known = get(execution.executionId, execution.node);
      if (known !== undefined) return known;
      const made: OpenExecution = {
        ...execution,
        acceptedAtMs: null,
        attempts: 0,
        notBeforeMs: 0,
        wasFull: false,
        firstOfferedMs: undefined,
        unansweredSinceMs: undefined,
        unreachable: false,
        cancelling: false,
        lostAtMs: undefined,
      };
      put(made);
      return made;
    },
    remove(execution) {
      take(execution);
      const queue = nodes.get(execution.node);
      if (queue !== undefined && STATES.every((state) => queue[state].size === 0)) nodes.delete(execution.node);
    },
    move(execution, state) {
      take(execution);
      execution.state = state;
      put(execution);
    },
    of: (node) => nodes.get(node) ?? EMPTY,
    *all() {
      for (const queue of nodes.values()) for (const state of STATES) yield* queue[state].values();
    },
    nodes: () => nodes.keys(),
    queues: () => nodes.entries(),
    countOf(node) {
      const queue = nodes.get(node) ?? EMPTY;
      return queue.held.size + queue.queued.size + queue.sent.size + queue.accepted.size;
    },
    countAll: () => counts.held + counts.queued + counts.sent + counts.accepted,
    countByState: () => ({ ...counts }),
    ofInvocation: (invocationId) => invocations.get(invocationId)?.executions ?? NONE,
    *rollouts() {
      for (const [invocationId, { executions, held }] of invocations) {
        if (held > 0) yield { invocationId, begun: executions.size - held };
      }
    },
  };
}

/** Every open execution of the node, also what waits for its batch. */
export function openOn(open: Pick<OpenExecutions, 'of'>, node: string): OpenExecution[] {
  const queue = open.of(node);
  return STATES.flatMap((state) => [...queue[state].values()]);
}

/** Execution ids are UUIDv7, so their order is that of age; nearly always the new one belongs at the end. */
function insertInOrder(queue: Map<string, OpenExecution>, execution: OpenExecution, newest: string): void {
  const { executionId } = execution;
  const later = executionId > newest ? [] : [...queue.values()].filter((each) => each.executionId > executionId);
  queue.set(executionId, execution);
  for (const each of later) {
    queue.delete(each.executionId);
    queue.set(each.executionId, each);
  }
}
