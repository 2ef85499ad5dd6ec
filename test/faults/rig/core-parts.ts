import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { type Connection, readConnection } from '../../../cli/installation.js';
import { ensureKeys } from '../../../controller/identity/keys.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { makeDataDir } from '../../../runtime/data-dir.js';
import { freePort } from '../../support/free-port.js';
import { PROGRAM } from '../program.js';
import { createPart, type Part } from './part.js';
import { type PartOptions, type RigOptions, settingsEnv } from './part-options.js';

/** Broker and controller that trust the same keys; none runs yet. */
export type CoreParts = Readonly<{
  broker: Part;
  /** All on the same store, with the same keys and settings. */
  controllers: readonly [Part, ...Part[]];
  /** Where the first controller has its files. */
  controllerDir: string;
  /** Where the REST API of each controller is. */
  urls: readonly string[];
  brokerUrl: string;
}>;

type CorePlaces = Readonly<{ directory: string; logs: string; program?: string }>;

/** Each has a port of its own that it comes back to after each of its ends. */
export async function createCoreParts(
  options: RigOptions,
  { directory, logs, program = PROGRAM }: CorePlaces,
): Promise<CoreParts> {
  const controllerDir = options.controller?.dataDir ?? join(directory, 'controller');
  const { rootFile, listFile } = ensureKeys(makeDataDir(join(controllerDir, 'controller')), 'default', SYSTEM_CLOCK);
  const [brokerPort, ...ports] = [await freePort(), await freePort(), await freePort()];
  const brokerUrl = `mqtt://127.0.0.1:${brokerPort}`;
  const broker =
    typeof options.broker === 'function'
      ? options.broker(brokerPort)
      : createCorePart({ name: 'broker', program, args: [], logs }, options.broker ?? {}, {
          ...{ port: brokerPort, metrics_port: 0, root_file: rootFile, keys_file: listFile },
        });
  const broker_url = (await options.brokerUrlForController?.(brokerUrl)) ?? brokerUrl;
  const dataDirs = [controllerDir];
  if (options.secondController === true) {
    dataDirs.push(join(directory, 'controller-2'));
    cpSync(controllerDir, join(directory, 'controller-2'), { recursive: true });
  }
  const [controller, ...others] = dataDirs.map((dataDir, at) =>
    createCorePart(
      { name: 'controller', program, args: [`--data=${dataDir}`], logs, ...(at > 0 && { logName: 'controller-2' }) },
      options.controller ?? {},
      { port: ports[at] ?? 0, broker_url },
    ),
  );
  if (controller === undefined) throw new Error('there is no controller');
  const urls = dataDirs.map((_, at) => `http://127.0.0.1:${ports[at]}`);
  return { broker, controllers: [controller, ...others], controllerDir, urls, brokerUrl };
}

/** Starts the broker, then the controllers; gives the way to the first one for its owner. */
export async function startCoreParts({ broker, controllers, controllerDir }: CoreParts): Promise<Connection> {
  await broker.start();
  for (const each of controllers) await each.start();
  return readConnection(controllerDir);
}

function createCorePart(
  {
    name,
    program,
    args,
    logs,
    logName = name,
  }: { name: string; program: string; args: readonly string[]; logs: string; logName?: string },
  { settings, env, wrap }: PartOptions,
  usual: NonNullable<PartOptions['settings']>,
): Part {
  return createPart(
    {
      argv: [process.execPath, program, name, ...args],
      env: {
        ...{ PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '/' },
        ...settingsEnv(name, { ...usual, ...settings }),
        ...env,
      },
      ...(wrap === undefined ? {} : { wrap }),
    },
    { name: logName, logFile: join(logs, `${logName}.log`) },
  );
}
