// A BullMQ worker in a process of its own, as an agent is; a job gives back what it was given. Arguments: port of Redis,
// name of the queue, how many jobs at once.
import { connectionTo, loadBullMq } from './bullmq-library.js';

const [port = '', queue = '', concurrency = '1'] = process.argv.slice(2);
const { Worker } = await loadBullMq();
const worker = new Worker(queue, async ({ data }) => data, {
  connection: connectionTo(Number(port)),
  concurrency: Number(concurrency),
});
await worker.waitUntilReady();
process.send?.({ ready: {} });
process.once('disconnect', () => process.exit(0));
process.once('SIGTERM', () => process.exit(0));
