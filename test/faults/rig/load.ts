import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { type ExecutionView, InvocationAnswer, type InvocationView } from '../../../controller/http/schemas.js';
import { ENDED_STATUSES } from '../../../controller/http/statuses.js';
import { parseDuration } from '../../../protocol/durations.js';
import type { Accepted } from '../judge/evidence.js';
import { type Deed, LEDGER_HOOK, parametersOf } from '../judge/ledger.js';
import type { PatientApi } from './api.js';

/** What is asked for: a deed of the hook, on one node. */
export type Ask = Readonly<{
  /** The rig's first node when absent. */
  node?: string;
  deed?: Partial<Deed>;
  /** A Go-style duration; 30 s when absent. */
  timeout?: string;
  /** How long it may wait for its node; an hour when absent. */
  expiresIn?: string;
  stream?: boolean;
  /** So many others ask for the same, with the same key and at the same time, and have to be told of the same. */
  twins?: number;
  /** So long after it was accepted somebody wants it to end; nobody does when absent. */
  cancelAfterMs?: number;
  /** Stands in the faults: where in the scenario it was asked for. */
  label?: string;
}>;

/** Work for an installation, and the memory of what it has accepted. */
export type Load = Readonly<{
  accepted: readonly Accepted[];
  /** The invocations that anybody was told of, those too that wait or were denied. */
  told: ReadonlySet<string>;
  /** Asks until it is accepted, by this way when one is given; gives the execution id. @throws {AskRefused} */
  submit: (ask: Ask, by?: PatientApi) => Promise<string>;
  /** Asks in the name of somebody who needs an approval for it. @throws {AskRefused} */
  propose: (by: PatientApi, ask: Ask) => Promise<InvocationView>;
  /** Counts what was proposed among the accepted, since it was approved; gives the execution id. */
  adopt: (invocationId: string, ask: Ask) => Promise<string>;
  /** Wants it to end, whatever has become of it by now; it may be refused when it has ended. */
  cancel: (executionId: string) => Promise<void>;
  /** Keeps this many asks open until it is stopped; `stop` resolves when the last one has been accepted. */
  keepBusy: (next: () => Ask, parallel: number) => Busy;
  /** So many callers ask and do not care what becomes of it; `stop` resolves when the last one was accepted. */
  keepAsking: (next: () => Ask, parallel: number) => Busy;
  /** What the controller says of an execution now; undefined when it does not know it. */
  look: (executionId: string, by?: PatientApi) => Promise<ExecutionView | undefined>;
  /** Whether an execution has a definite end. */
  isOver: (executionId: string) => Promise<boolean>;
  /** Waits until each accepted execution has ended and nothing of it is provisional; false at the deadline. */
  quiet: (deadlineMs: number) => Promise<boolean>;
}>;

/** Callers that go on until they are stopped, or until one of them is refused. */
export type Busy = Readonly<{
  hasFailed: () => boolean;
  /** @throws {AskRefused} when something was refused */
  stop: () => Promise<void>;
}>;

/** A controller did not take what it has to take. */
export class AskRefused extends Error {
  override readonly name = 'AskRefused';
}

const IDLE: Deed = { exitCode: 0, bytes: 0, ms: 0, leaves: 'nothing', showsEnvironment: false };
const USUAL_TIMEOUT = '30s';
const LOOK_MS = 100;

/** What was accepted, and what is still learned of it. */
type Remembered = Omit<Accepted, 'cancelAsked' | 'cancelTakenMs' | 'isToldCancelled'> &
  Pick<{ -readonly [Key in keyof Accepted]: Accepted[Key] }, 'cancelAsked' | 'cancelTakenMs' | 'isToldCancelled'>;

/** The answer to a cancel of what has ended. */
const ENDED_ALREADY = 409;

/** `node` is whom an ask is for that names none. */
export function createLoad({ api, node: usualNode }: { api: PatientApi; node: string }): Load {
  const accepted: Remembered[] = [];
  const byId = new Map<string, Remembered>();
  const told = new Set<string>();
  /** Ids of what is known to be over for good. */
  const over = new Set<string>();

  async function post(by: PatientApi, ask: Ask, confirm: boolean): Promise<InvocationAnswer> {
    const { node = usualNode, timeout = USUAL_TIMEOUT, expiresIn = '1h', stream = false, twins = 0 } = ask;
    const content = {
      headers: { 'idempotency-key': randomUUID(), prefer: 'wait=0' },
      body: {
        action: LEDGER_HOOK,
        target: { nodes: [node] },
        parameters: parametersOf({ ...IDLE, ...ask.deed }),
        ...{ timeout, expires_in: expiresIn, stream, confirm },
      },
    };
    const asking = Array.from({ length: 1 + twins }, () => by.call('POST', '/invocations', content));
    const [first] = (await Promise.all(asking)).map(({ status, bytes }) => {
      if (status === 200 || status === 202) return InvocationAnswer.parse(JSON.parse(bytes.toString()));
      throw new AskRefused(`an ask was refused with ${status}: ${bytes.toString()}`);
    });
    if (first === undefined) throw new Error('an ask has no answer');
    // If a twin was told of another one, that one was never asked for.
    told.add(first.invocation.id);
    return first;
  }

  function remember({ invocation, executions }: InvocationAnswer, ask: Ask): string {
    const [execution] = executions ?? [];
    if (execution === undefined) throw new Error('an accepted ask has no execution');
    const { node = usualNode, timeout = USUAL_TIMEOUT, label = 'load' } = ask;
    const one: Remembered = {
      executionId: execution.execution_id,
      invocationId: invocation.id,
      ...{ node, label, deed: { ...IDLE, ...ask.deed } },
      ...{ cancelAsked: false, cancelTakenMs: undefined, isToldCancelled: false },
      timeoutMs: parseDuration(timeout) ?? 0,
      issuedMs: Date.parse(invocation.created_at),
      expiresMs: Date.parse(invocation.expires_at),
    };
    accepted.push(one);
    byId.set(one.executionId, one);
    return one.executionId;
  }

  const submit: Load['submit'] = async (ask, by = api) => remember(await post(by, ask, true), ask);

  async function cancel(executionId: string): Promise<void> {
    const one = byId.get(executionId);
    if (one === undefined) throw new Error(`${executionId} was never accepted`);
    one.cancelAsked = true; // before the answer, which may be lost
    const answer = await api.call('POST', `/invocations/${one.invocationId}/cancel`, {
      headers: { prefer: 'wait=0' },
      body: {},
    });
    if (answer.status === ENDED_ALREADY) return;
    if (answer.status !== 200 && answer.status !== 202) {
      throw new Error(`a cancel was refused with ${answer.status}: ${answer.bytes.toString()}`);
    }
    one.cancelTakenMs = Date.now();
    const { invocation } = InvocationAnswer.parse(JSON.parse(answer.bytes.toString()));
    one.isToldCancelled = invocation.status === 'cancelled';
  }

  /** Asks for one thing, and has it ended if that is to be; resolves when it is over. */
  async function doOne(ask: Ask, isStopped: () => boolean): Promise<void> {
    const id = await submit(ask);
    if (ask.cancelAfterMs !== undefined) {
      await wait(ask.cancelAfterMs);
      await cancel(id);
    }
    await untilOver(id, isStopped);
  }

  async function look(executionId: string, by = api): Promise<ExecutionView | undefined> {
    const { invocationId } = byId.get(executionId) ?? {};
    const answer = await by.call('GET', `/invocations/${invocationId}`);
    if (answer.status !== 200) return undefined;
    const { invocation, executions } = InvocationAnswer.parse(JSON.parse(answer.bytes.toString()));
    const [execution] = executions ?? [];
    if (execution !== undefined && ENDED_STATUSES.has(invocation.status) && !execution.provisional) {
      over.add(executionId);
    }
    return execution;
  }

  async function untilOver(id: string, isStopped: () => boolean): Promise<void> {
    while (!over.has(id) && !isStopped()) {
      await look(id);
      if (!over.has(id)) await wait(LOOK_MS);
    }
  }

  return {
    accepted,
    told,
    submit,
    propose: async (by, ask) => (await post(by, ask, false)).invocation,
    async adopt(invocationId, ask) {
      const { bytes } = await api.call('GET', `/invocations/${invocationId}`);
      return remember(InvocationAnswer.parse(JSON.parse(bytes.toString())), ask);
    },
    cancel,
    look,
    async isOver(executionId) {
      if (!over.has(executionId)) await look(executionId);
      return over.has(executionId);
    },
    keepBusy: (next, parallel) => repeat((isStopped) => doOne(next(), isStopped), parallel),
    keepAsking: (next, parallel) => repeat(() => submit(next()), parallel),
    async quiet(deadlineMs) {
      const endMs = performance.now() + deadlineMs;
      for (;;) {
        for (const { executionId } of accepted) if (!over.has(executionId)) await look(executionId);
        if (accepted.every(({ executionId }) => over.has(executionId))) return true;
        if (performance.now() > endMs) return false;
        await wait(LOOK_MS);
      }
    },
  };
}

function repeat(act: (isStopped: () => boolean) => Promise<unknown>, parallel: number): Busy {
  let isOver = false;
  const failures: unknown[] = [];
  const isStopped = (): boolean => isOver;
  const worker = async (): Promise<void> => {
    try {
      while (!isOver) await act(isStopped);
    } catch (error) {
      failures.push(error);
      isOver = true;
    }
  };
  const workers = Promise.all(Array.from({ length: parallel }, worker));
  return {
    hasFailed: () => failures.length > 0,
    async stop() {
      isOver = true;
      await workers;
      if (failures.length > 0) throw failures[0];
    },
  };
}
