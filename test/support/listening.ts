import { once } from 'node:events';
import type { Server } from 'node:http';
import type { TestScope } from './broker.js';

/** The URL at which a server listens now, on a free port of 127.0.0.1; it and its connections end with the test. */
export async function listening(t: TestScope, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}
