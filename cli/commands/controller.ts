import { join, resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import type { Command } from 'commander';
import { ControllerConfig } from '../../controller/config.js';
import { type RunningController, startController } from '../../controller/start.js';
import { isMusterError } from '../../protocol/errors.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { makeDataDir } from '../../runtime/data-dir.js';
import { announceReady, runProcess } from '../../runtime/lifecycle.js';
import { createLogger } from '../../runtime/logger.js';
import { createSecrets } from '../../runtime/masking/mask.js';
import { dashboardDirectory } from '../dashboard-directory.js';
import { type Connection, DEFAULT_DATA_DIR, readConnection, writeConnection } from '../installation.js';
import type { Io } from '../io.js';
import { partCommand } from '../part.js';

const HELP = `
The first start makes the keys of the installation and the owner's token. The token is kept, 0600, in cli.json of
the installation's directory, where the other commands find it.

Examples:
  $ muster controller
  $ muster controller --data /var/lib/muster --broker-url mqtts://broker.example:8883
  $ MUSTER_CONTROLLER_PORT=9080 muster controller --config /etc/muster.yaml`;

const PART = {
  name: 'controller',
  description: 'Run the controller until it is stopped: the REST API, the store, the keys.',
  help: HELP,
  sections: { controller: ControllerConfig },
  inDataDir: (dataDir: string) => ({ data_dir: join(dataDir, 'controller') }),
};

/**
 * The heap is collected when it has grown by so many percent since the last time. V8 by itself lets a heap of this size
 * become several times what lives in it, on a machine that others use, too.
 */
const HEAP_GROWTH = '--heap-growing-percent=30';

/** `muster controller`: the service that owns the state and signs the requests. */
export function controllerCommand(io: Io): Command {
  return partCommand(PART, io, async ({ controller: config }, dataDir) => {
    setFlagsFromString(HEAP_GROWTH);
    const secrets = createSecrets();
    const log = createLogger('controller', { level: config.log_level, mask: secrets.mask });
    const installation = makeDataDir(dataDir ?? installationOf(config.data_dir));
    await runProcess(log, async (stop) => {
      const controller = await startController({
        ...{ config, secrets, dashboardDir: dashboardDirectory(), log, clock: SYSTEM_CLOCK, stop },
      });
      keepConnection(installation, controller);
      if (controller.reload !== undefined) process.on('SIGHUP', controller.reload);
      announceReady({ url: controller.url, port: controller.port });
      return controller;
    });
  });
}

/** Beside the other parts when the settings say nothing of it, else with the controller's own files. */
function installationOf(controllerDir: string): string {
  const isDefault = resolve(controllerDir) === resolve(DEFAULT_DATA_DIR, 'controller');
  return isDefault ? DEFAULT_DATA_DIR : controllerDir;
}

/** Keeps the new owner's token, or tells a kept one the address of today. */
function keepConnection(installation: string, { url, ownerToken }: RunningController): void {
  const kept = ownerToken === undefined ? keptConnection(installation) : undefined;
  const token = ownerToken ?? kept?.token;
  if (token !== undefined && kept?.url !== url) writeConnection(installation, { url: reachable(url), token });
}

function keptConnection(installation: string): Connection | undefined {
  try {
    return readConnection(installation);
  } catch (error) {
    if (isMusterError(error, 'unavailable')) return undefined;
    throw error;
  }
}

/** An address to call for one to listen on: all addresses are called as this machine. */
function reachable(url: string): string {
  return url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
}
