// N agents of the real code in one process, each with its own identity, journal and connection. Arguments: controller
// URL, enrollment token, directory, count. Journals lie where the directory is: a real fleet has a disk for each node.
import { join } from 'node:path';
import { AgentConfig, MeshConfig } from '../../agent/config.js';
import { startAgent } from '../../agent/start.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { createLogger } from '../../runtime/logger.js';

const [url = '', token = '', directory = '', count = '0'] = process.argv.slice(2);
const log = createLogger('agent', { level: 'error' });

const agents = [];
for (let at = 0; at < Number(count); at += 20) {
  const batch = Array.from({ length: Math.min(20, Number(count) - at) }, (_, index) => {
    const id = `sim-${at + index}`;
    const agent = AgentConfig.parse({
      enroll_url: url,
      enroll_token: token,
      node_id: id,
      data_dir: join(directory, id),
      metrics_port: -1,
      max_concurrent: 200,
    });
    return startAgent({ config: { agent, mesh: MeshConfig.parse({}) }, log, clock: SYSTEM_CLOCK });
  });
  agents.push(...(await Promise.all(batch)));
}
process.send?.({ ready: { agents: agents.length } });
process.once('disconnect', () => process.exit(0));
process.once('SIGTERM', () => process.exit(0));
