// An HTTP service in a process of its own, as Sentry is: any GET is answered with the same issue.
import { once } from 'node:events';
import { createServer } from 'node:http';

const issue = JSON.stringify({ id: '4711', title: 'Pump runs dry', status: 'unresolved', culprit: 'x'.repeat(1000) });
const server = createServer((_, response) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end(issue);
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const address = server.address();
process.send?.({ ready: { port: typeof address === 'object' ? address?.port : undefined } });
process.once('disconnect', () => process.exit(0));
process.once('SIGTERM', () => process.exit(0));
