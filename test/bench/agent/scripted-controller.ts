import { randomUUID } from 'node:crypto';
import { connectAsync } from 'mqtt';
import { uuidv7 } from 'uuidv7';
import { z } from 'zod';
import { type SigningKey, signEnvelope } from '../../../protocol/envelope.js';
import { parseTopic, type TopicScope, topicFilter, topicName } from '../../../protocol/topics.js';
import { SYSTEM_CLOCK, toTime } from '../../../runtime/clock.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Results are receipted together, as a controller does once it has stored a batch. */
const RECEIPT_MS = 100;
const MAX_RECEIPTS = 1000;
/** An answer that takes longer is lost. */
const ANSWER_MS = 5 * MINUTE_MS;

const Hello = z.object({ nonce: z.string(), process_id: z.string(), journal_seq: z.int() });
const Ack = z.object({ execution_id: z.string(), status: z.string(), reason: z.string() });
const Result = z.object({
  execution_id: z.string(),
  status: z.string(),
  duration_ms: z.number(),
  stdout_bytes: z.number(),
  error: z.string().optional(),
});
export type BenchResult = Readonly<z.infer<typeof Result>>;

/** What is to be run. */
export type Ask = Readonly<{
  action: string;
  parameters?: Readonly<Record<string, string>>;
  checksum?: string;
  timeout?: string;
}>;

/** When a request that was sent is answered and ended. */
type Asked = Readonly<{ accepted: Promise<void>; ended: Promise<BenchResult> }>;

/** A request that is signed and not sent yet. */
export type Prepared = Readonly<{ action: string; executionId: string; jws: string }>;

/** Asks one node and hears its answers, which it believes without a look at the signature: the agent is measured. */
export type ScriptedController = Readonly<{
  /** Sends a request. `accepted` resolves with the ack, so once the start is on disk; a rejection fails both. */
  ask: (ask: Ask) => Asked;
  /** The two halves of `ask`, for who measures what comes after the signature. */
  prepare: (ask: Ask) => Prepared;
  send: (request: Prepared) => Asked;
  /** Bytes of the last hello and of the welcome that answered it. */
  greetingBytes: () => number;
  stop: () => Promise<void>;
}>;

type Waiting = { accept: () => void; end: (result: BenchResult) => void; fail: (error: Error) => void };

/** Connects and answers hellos. */
export async function connectController({
  url,
  scope,
  signer,
  node,
  password,
}: {
  url: string;
  scope: TopicScope;
  signer: SigningKey;
  node: string;
  password: string;
}): Promise<ScriptedController> {
  const id = `ctl-${node}`;
  const client = await connectAsync(url, { clientId: id, username: id, password, clean: true, writeCache: false });
  const noDelay: unknown = Reflect.get(client.stream, 'setNoDelay');
  if (typeof noDelay === 'function') noDelay.call(client.stream, true);
  const waiting = new Map<string, Waiting>();
  let receipts: string[] = [];
  let processId = '';
  let welcomes = 0;
  let greetingBytes = 0;

  client.on('message', (topic, bytes) => {
    const kind = parseTopic(scope, topic)?.kind;
    if (kind === 'hello') welcome(Hello.parse(payloadOf(bytes)), bytes.length);
    if (kind === 'ack') acked(Ack.parse(payloadOf(bytes)));
    if (kind === 'result') ended(Result.parse(payloadOf(bytes)));
  });
  const kinds = ['hello', 'ack', 'result'] as const;
  await client.subscribeAsync(
    kinds.map((kind) => topicFilter(scope, kind)),
    { qos: 1 },
  );
  const receiptTimer = setInterval(sendReceipts, RECEIPT_MS);

  function publish(kind: 'control' | 'node_request', jws: string): void {
    client.publish(topicName(scope, kind, { node }), jws, { qos: 1 });
  }

  function control(kind: string, more: Readonly<Record<string, unknown>>): number {
    const nowMs = SYSTEM_CLOCK.nowMs();
    const times = { issued_at: toTime(nowMs), expires_at: toTime(nowMs + MINUTE_MS) };
    const payload = { v: 1, control_id: randomUUID(), org: scope.org, node, kind, ...times, ...more };
    const jws = signEnvelope('muster-control', JSON.stringify(payload), signer);
    publish('control', jws);
    return jws.length;
  }

  function welcome(hello: z.infer<typeof Hello>, helloBytes: number): void {
    processId = hello.process_id;
    const now = toTime(SYSTEM_CLOCK.nowMs());
    welcomes += 1;
    const nothing = { groups: [], labels: {}, wanted: [], cancelled: [], announce: false };
    const standing = { now, welcome_seq: welcomes, journal_seq: hello.journal_seq, enrolled_at: now };
    greetingBytes = helloBytes + control('welcome', { nonce: hello.nonce, ...standing, ...nothing });
  }

  function acked({ execution_id: executionId, status, reason }: z.infer<typeof Ack>): void {
    const asked = waiting.get(executionId);
    if (status === 'accepted') asked?.accept();
    else asked?.fail(new Error(`rejected: ${reason}`));
  }

  function ended(result: BenchResult): void {
    receipts.push(result.execution_id);
    waiting.get(result.execution_id)?.end(result);
  }

  function sendReceipts(): void {
    const due = receipts;
    receipts = [];
    for (let at = 0; at < due.length; at += MAX_RECEIPTS) {
      control('receipt', { process_id: processId, execution_ids: due.slice(at, at + MAX_RECEIPTS) });
    }
  }

  function prepare({ action, parameters = {}, checksum, timeout = '10m' }: Ask): Prepared {
    const executionId = uuidv7();
    const nowMs = SYSTEM_CLOCK.nowMs();
    const payload = {
      ...{ v: 1, execution_id: executionId, org: scope.org, target: { node }, action, parameters, timeout },
      ...(checksum === undefined ? {} : { checksum }),
      ...{ issued_at: toTime(nowMs), expires_at: toTime(nowMs + HOUR_MS) },
    };
    return { action, executionId, jws: signEnvelope('muster-request', JSON.stringify(payload), signer) };
  }

  function send({ action, executionId, jws }: Prepared): Asked {
    const accepted = createDeferred<void>();
    const ended = createDeferred<BenchResult>();
    const timer = setTimeout(() => fail(new Error(`no answer to ${action} in ${ANSWER_MS} ms`)), ANSWER_MS);
    const fail = (error: Error): void => {
      clearTimeout(timer);
      waiting.delete(executionId);
      accepted.reject(error);
      ended.reject(error);
    };
    const end = (result: BenchResult): void => {
      clearTimeout(timer);
      waiting.delete(executionId);
      accepted.resolve();
      ended.resolve(result);
    };
    waiting.set(executionId, { accept: accepted.resolve, end, fail });
    publish('node_request', jws);
    return { accepted: accepted.promise, ended: ended.promise };
  }

  return {
    ask: (ask) => send(prepare(ask)),
    prepare,
    send,
    greetingBytes: () => greetingBytes,
    async stop() {
      clearInterval(receiptTimer);
      await client.endAsync();
    },
  };
}

function payloadOf(jws: Buffer): unknown {
  const [, payload = ''] = jws.toString('latin1').split('.');
  return JSON.parse(Buffer.from(payload, 'base64url').toString());
}

/** A promise and its ends. Whoever does not wait for it is not told that it failed. */
function createDeferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
