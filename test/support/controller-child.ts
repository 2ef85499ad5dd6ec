import { ControllerConfig } from '../../controller/config.js';
import { startController } from '../../controller/start.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { createLogger } from '../../runtime/logger.js';

/** Runs a controller with the settings of its one argument (JSON) until it is killed; sends its address and token. */
const config = ControllerConfig.parse(JSON.parse(process.argv[2] ?? '{}'));
const log = createLogger('controller', { level: config.log_level });
const { url, ownerToken } = await startController({ config, log, clock: SYSTEM_CLOCK });
process.send?.({ url, ownerToken });
