// N agents of the real code in one process, each with its own identity, journal and connection. Arguments: controller
// URL, enrollment token, directory, number of the first, count. Journals lie where the directory is: a real fleet has a
// disk for each node.
import { join } from 'node:path';
import { AgentConfig, MeshConfig } from '../../agent/config.js';
import { createAgentMetrics } from '../../agent/metrics.js';
import { startAgent } from '../../agent/start.js';
import { createFrequentClock, SYSTEM_CLOCK } from '../../runtime/clock.js';
import { createLogger } from '../../runtime/logger.js';

const AT_ONCE = 20;
const [url = '', token = '', directory = '', first = '0', count = '0'] = process.argv.slice(2);
const log = createLogger('agent', { level: 'error' });
const metrics = createAgentMetrics();
const clock = createFrequentClock(SYSTEM_CLOCK); // it asks the system once a second, as each of many processes would

function start(number: number) {
  const id = `sim-${number}`;
  const agent = AgentConfig.parse({
    enroll_url: url,
    enroll_token: token,
    node_id: id,
    data_dir: join(directory, id),
    metrics_port: -1,
    local_socket: 'off',
    process_isolation: 'process_group', // looked for once in a process, not by each of thousands
    max_concurrent: 200,
  });
  return startAgent({ config: { agent, mesh: MeshConfig.parse({}) }, log, clock, metrics });
}

const numbers = Array.from({ length: Number(count) }, (_, index) => Number(first) + index).values();
async function lane(): Promise<void> {
  for (const number of numbers) await (await start(number)).whenWelcomed;
}
await Promise.all(Array.from({ length: AT_ONCE }, lane));
process.send?.({ ready: { agents: Number(count) } });
process.once('disconnect', () => process.exit(0));
process.once('SIGTERM', () => process.exit(0));
