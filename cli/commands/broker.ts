import { join } from 'node:path';
import type { Command } from 'commander';
import { BrokerConfig } from '../../broker/config.js';
import { startBroker } from '../../broker/start.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { announceReady, runProcess } from '../../runtime/lifecycle.js';
import { createLogger } from '../../runtime/logger.js';
import type { Io } from '../io.js';
import { partCommand } from '../part.js';

const HELP = `
It needs the public keys that the controller makes at its first start.

Examples:
  $ muster broker
  $ muster broker --data /var/lib/muster --port 8883 --host 0.0.0.0
  $ MUSTER_BROKER_MAX_CONNECTIONS=20000 muster broker --config /etc/muster.yaml`;

/** `muster broker`: the embedded MQTT broker. */
export function brokerCommand(io: Io): Command {
  const part = {
    name: 'broker',
    description: 'Run the MQTT broker until it is stopped.',
    help: HELP,
    sections: { broker: BrokerConfig },
    inDataDir: (dataDir: string) => ({
      root_file: join(dataDir, 'controller', 'public', 'root.jwk.json'),
      keys_file: join(dataDir, 'controller', 'public', 'keys.jws'),
    }),
  };
  return partCommand(part, io, async ({ broker: config }) => {
    const log = createLogger('broker', { level: config.log_level });
    await runProcess(log, async () => {
      const broker = await startBroker({ config, log, clock: SYSTEM_CLOCK });
      const { port, tlsPort, wsPort, metricsPort } = broker;
      announceReady({ port, tlsPort, wsPort, metricsPort });
      return broker;
    });
  });
}
