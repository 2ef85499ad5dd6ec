import { createHash } from 'node:crypto';
import { uuidv7 } from 'uuidv7';
import type { Action, ActionContext, RunEnd } from '../../agent/actions/action.js';
import { ACTIONS_DEFAULTS, type ActionsConfig } from '../../agent/actions-config.js';
import type { Standing } from '../../agent/executor/admission.js';
import { createExecutor, type Executor, type Reporter } from '../../agent/executor/executor.js';
import type { ReceivedRequest } from '../../agent/executor/received.js';
import type { Journal } from '../../agent/journal/contract.js';
import type { Machine } from '../../agent/machine.js';
import { createAgentMetrics } from '../../agent/metrics.js';
import { parsePayload } from '../../protocol/envelope.js';
import type { Output } from '../../protocol/messages/output.js';
import { Output as OutputSchema } from '../../protocol/messages/output.js';
import { Request } from '../../protocol/messages/request.js';
import { Result } from '../../protocol/messages/result.js';
import { SYSTEM_CLOCK, toTime } from '../../runtime/clock.js';
import { createLogger } from '../../runtime/logger.js';
import { createSecrets, type Secrets } from '../../runtime/masking/mask.js';
import type { TestScope } from './broker.js';
import { openTestJournal } from './journal.js';
import { temporaryDirectory } from './temporary-directory.js';
import { until } from './until.js';

/** What the executor told its reporter, in order. */
export type Told =
  | Readonly<{ kind: 'ack'; id: string; reason: string }>
  | Readonly<{ kind: 'result'; id: string; result: Result }>;

/** A real executor on a real journal whose reporter only takes notes. */
export type TestExecutor = Readonly<{
  executor: Executor;
  journal: Journal;
  told: readonly Told[];
  output: readonly Output[];
  /** Each log line, parsed. */
  logs: readonly Readonly<Record<string, unknown>>[];
  acks: (id: string) => string[];
  results: (id: string) => Result[];
  resultOf: (id: string) => Promise<Result>;
}>;

export type TestExecutorOptions = Readonly<{
  directory?: string;
  journal?: Journal;
  /** The boot and the process that it is in, when they are not those of every other executor. */
  machine?: Partial<Machine>;
  limits?: Partial<ActionsConfig>;
  /** What is masked; nothing when absent. */
  secrets?: Secrets;
  actions?: readonly Action[];
  standing?: () => Standing | undefined;
  readsOnly?: () => boolean;
  reporter?: Partial<Reporter>;
  random?: () => number;
  maxPacketBytes?: number;
}>;

const EPOCH_MS = Date.parse('2026-01-01T00:00:00Z');

/** What a welcome of just now says of a node that is in group `pumps`. */
export function standingNow(): Standing {
  return { nowMs: SYSTEM_CLOCK.nowMs(), enrolledAtMs: EPOCH_MS, groups: new Map([['pumps', EPOCH_MS]]) };
}

export async function createTestExecutor(t: TestScope, options: TestExecutorOptions = {}): Promise<TestExecutor> {
  // Asked before the journal is opened: what is registered first is done first, and an executor ends before its journal.
  t.after(() => executor.shutdown(0, AbortSignal.abort()));
  const journal = options.journal ?? (await openTestJournal(t, options.directory ?? temporaryDirectory(t)));
  if (journal.epochMs === undefined) await journal.beginEpoch(EPOCH_MS);
  const told: Told[] = [];
  const output: Output[] = [];
  const logs: Record<string, unknown>[] = [];
  const actions = new Map((options.actions ?? [answering('echo')]).map((action) => [action.name, action]));
  const results = (id: string): Result[] =>
    told.flatMap((each) => (each.kind === 'result' && each.id === id ? [each.result] : []));
  const executor = createExecutor({
    limits: { ...ACTIONS_DEFAULTS, ...options.limits },
    maxPacketBytes: options.maxPacketBytes ?? 256 * 1024,
    mask: (options.secrets ?? createSecrets()).mask,
    speaker: { org: 'default', node: 'pump', bootId: BOOT_ID, processId: PROCESS_ID },
    machine: { bootId: BOOT_ID, processId: PROCESS_ID, clock: SYSTEM_CLOCK, ...options.machine },
    find: (name) => actions.get(name),
    journal,
    reporter: {
      ack: async ({ executionId: id, reason }) => void told.push({ kind: 'ack', id, reason }),
      output: async (payload) => void output.push(parsePayload(OutputSchema, payload)),
      result(id) {
        told.push({ kind: 'result', id, result: parsePayload(Result, journal.resultOf(id) ?? Buffer.alloc(0)) });
      },
      ...options.reporter,
    },
    standing: options.standing ?? standingNow,
    readsOnly: options.readsOnly ?? (() => false),
    metrics: createAgentMetrics(),
    clock: SYSTEM_CLOCK,
    log: createLogger('agent', {
      level: 'debug',
      destination: { write: (line) => void logs.push(JSON.parse(line)) },
    }).child({ component: 'actions' }),
    random: options.random ?? Math.random,
  });
  return {
    ...{ executor, journal, told, output, logs, results },
    acks: (id) => told.flatMap((each) => (each.kind === 'ack' && each.id === id ? [each.reason] : [])),
    resultOf: (id) => until(() => results(id)[0], { what: `the result of ${id}` }),
  };
}

const BOOT_ID = '8a7b6c5d-0000-4000-8000-000000000001';
const PROCESS_ID = '8a7b6c5d-0000-4000-8000-000000000002';

/** A verified request as the session hands it over; valid for an hour from now. */
export function receive(changes: Readonly<Record<string, unknown>> = {}): ReceivedRequest {
  const nowMs = SYSTEM_CLOCK.nowMs();
  const request = {
    v: 1,
    execution_id: uuidv7(),
    org: 'default',
    target: { node: 'pump' },
    action: 'echo',
    parameters: {},
    timeout: '30s',
    issued_at: toTime(nowMs),
    expires_at: toTime(nowMs + 3_600_000),
    ...changes,
  };
  const octets = Buffer.from(JSON.stringify(request));
  return {
    request: parsePayload(Request, octets),
    octets,
    sha256: createHash('sha256').update(octets).digest('hex'),
  };
}

/** The execution id of a request. */
export function idOf({ request }: ReceivedRequest): string {
  return request.execution_id;
}

/** An action without parameters that does this. */
export function acting(
  name: string,
  run: (context: ActionContext) => Promise<RunEnd>,
  more: Partial<Action> = {},
): Action {
  return { name, description: `does ${name}`, risk: 'read', parameters: [], run, ...more };
}

/** An action that writes this text and ends with this exit code. */
export function answering(name: string, { stdout = 'hello\n', exitCode = 0 } = {}): Action {
  return acting(name, async ({ output }) => {
    output.write('stdout', stdout);
    return { kind: 'exited', exitCode };
  });
}

/** An action that ends when it is told to, or when the test releases it. */
export function waiting(name: string): {
  action: Action;
  release: () => void;
  started: () => number;
  most: () => number;
} {
  const open = new Set<() => void>();
  let started = 0;
  let most = 0;
  const action = acting(
    name,
    ({ signal }) =>
      new Promise((resolve) => {
        started += 1;
        const end = (): void => {
          open.delete(end);
          resolve({ kind: 'exited', exitCode: 0 });
        };
        open.add(end);
        most = Math.max(most, open.size);
        signal.addEventListener('abort', end, { once: true });
      }),
  );
  return {
    action,
    release: () => {
      for (const end of [...open]) end();
    },
    started: () => started,
    most: () => most,
  };
}
