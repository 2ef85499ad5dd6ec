import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { StreamMessage } from '../../../controller/http/event-schemas.js';
import { startTestLog } from '../../support/event-log.js';
import { until } from '../../support/until.js';

test('A-112: a usual client library connects to the live channel, and its callback gets each message as it comes', async (t) => {
  const log = await startTestLog(t);
  const seen: string[] = [];
  const connect = async (query: string): Promise<WebSocket> => {
    const headers = { authorization: `Bearer ${log.token}` };
    const socket = new WebSocket(`${log.url.replace('http', 'ws')}/api/v1/events${query}`, { headers });
    t.after(() => socket.terminate());
    socket.addEventListener('message', ({ data }) => {
      const message = StreamMessage.parse(JSON.parse(String(data)));
      seen.push(message.type === 'node' ? `${message.id} ${message.node} ${message.change}` : message.type);
    });
    await once(socket, 'open');
    return socket;
  };

  const socket = await connect('');
  await until(() => seen.includes('ready'), { what: 'the first message' });
  await log.tell('pump-1', 'pump-2');
  await until(() => seen.length === 3, { what: 'what was told' });
  socket.close();
  await once(socket, 'close');
  await log.tell('pump-3');
  await connect('?after=2'); // it comes back, and misses nothing
  await until(() => seen.length === 5, { what: 'what it missed' });

  assert.deepEqual(seen, ['ready', '1 pump-1 online', '2 pump-2 online', 'ready', '3 pump-3 online']);
});
