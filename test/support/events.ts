import { WebSocket } from 'ws';
import { StreamMessage } from '../../controller/http/event-schemas.js';
import type { TestScope } from './broker.js';
import { until } from './until.js';

/** An open event stream and what has come of it. */
export type TestStream = Readonly<{
  messages: readonly StreamMessage[];
  /** Waits for a message of this type after those that were waited for, with this text somewhere in it. */
  next: <K extends StreamMessage['type']>(type: K, text?: string) => Promise<Extract<StreamMessage, { type: K }>>;
  /** Resolves when the other side has ended it; of a WebSocket the close code. */
  ended: Promise<number | undefined>;
  close: () => void;
}>;

type Opening = Readonly<{ url: string; token: string; query?: string; headers?: Readonly<Record<string, string>> }>;

/** Server-sent events, once they are `ready`; closed after the test. */
export async function openEvents(t: TestScope, { url, token, query = '', headers = {} }: Opening): Promise<TestStream> {
  const leaving = new AbortController();
  const response = await fetch(`${url}/api/v1/events${query}`, {
    headers: { authorization: `Bearer ${token}`, ...headers },
    signal: leaving.signal,
  });
  if (response.status !== 200 || response.body === null) throw new Error(`${response.status} ${await response.text()}`);
  const messages: StreamMessage[] = [];
  const ended = readBlocks(response.body, messages).then(
    () => undefined,
    () => undefined,
  );
  t.after(() => leaving.abort());
  const stream = { messages, next: createNext(messages), ended, close: () => leaving.abort() };
  await stream.next('ready');
  return stream;
}

/** The same over WebSocket. */
export async function openWebSocket(
  t: TestScope,
  { url, token, query = '', headers = {} }: Opening,
): Promise<TestStream> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/api/v1/events${query}`, {
    headers: { authorization: `Bearer ${token}`, ...headers },
  });
  const messages: StreamMessage[] = [];
  socket.on('message', (data) => messages.push(StreamMessage.parse(JSON.parse(data.toString()))));
  const ended = new Promise<number>((resolve) => {
    socket.once('close', resolve);
  });
  t.after(() => socket.terminate());
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.on('error', reject);
  });
  const stream = { messages, next: createNext(messages), ended, close: () => socket.close() };
  await stream.next('ready');
  return stream;
}

/** Reads server-sent events until they end; a block must name the type and the id that its data has. */
async function readBlocks(body: ReadableStream<Uint8Array>, messages: StreamMessage[]): Promise<void> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of body) {
    const blocks = `${rest}${decoder.decode(bytes, { stream: true })}`.split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const { id, event, data } = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s)));
      if (data === undefined) continue;
      const message = StreamMessage.parse(JSON.parse(data));
      if (String(message.id) !== id || message.type !== event) throw new Error(`not one event: ${block}`);
      messages.push(message);
    }
  }
}

function createNext(messages: readonly StreamMessage[]): TestStream['next'] {
  let at = 0;
  return (type, text = '') =>
    until(
      () => {
        while (at < messages.length) {
          const message = messages[at];
          at += 1;
          if (message !== undefined && isOf(message, type) && JSON.stringify(message).includes(text)) return message;
        }
        return undefined;
      },
      { what: `the event ${type} ${text}` },
    );
}

function isOf<K extends StreamMessage['type']>(
  message: StreamMessage,
  type: K,
): message is Extract<StreamMessage, { type: K }> {
  return message.type === type;
}
