import { join } from 'node:path';
import { ensureKeys } from '../../../controller/identity/keys.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { makeDataDir } from '../../../runtime/data-dir.js';
import { freePort } from '../../support/free-port.js';
import { createPart, type Part } from './part.js';
import { type PartOptions, type RigOptions, settingsEnv } from './part-options.js';

/** Broker and controller that trust the same keys; neither runs yet. */
export type CoreParts = Readonly<{ broker: Part; controller: Part; controllerDir: string; brokerUrl: string }>;

const BIN = new URL('../../../bin/muster.js', import.meta.url).pathname;

/** Each has a port of its own that it comes back to after each of its ends. */
export async function createCoreParts(
  options: RigOptions,
  { directory, logs }: { directory: string; logs: string },
): Promise<CoreParts> {
  const controllerDir = options.controller?.dataDir ?? join(directory, 'controller');
  const { rootFile, listFile } = ensureKeys(makeDataDir(join(controllerDir, 'controller')), 'default', SYSTEM_CLOCK);
  const [brokerPort, controllerPort] = [await freePort(), await freePort()];
  const brokerUrl = `mqtt://127.0.0.1:${brokerPort}`;
  const broker =
    typeof options.broker === 'function'
      ? options.broker(brokerPort)
      : createCorePart({ name: 'broker', args: [], logs }, options.broker ?? {}, {
          ...{ port: brokerPort, metrics_port: 0, root_file: rootFile, keys_file: listFile },
        });
  const controller = createCorePart(
    { name: 'controller', args: [`--data=${controllerDir}`], logs },
    options.controller ?? {},
    { port: controllerPort, broker_url: (await options.brokerUrlForController?.(brokerUrl)) ?? brokerUrl },
  );
  return { broker, controller, controllerDir, brokerUrl };
}

function createCorePart(
  { name, args, logs }: { name: string; args: readonly string[]; logs: string },
  { settings, env, wrap }: PartOptions,
  usual: NonNullable<PartOptions['settings']>,
): Part {
  return createPart(
    {
      argv: [process.execPath, BIN, name, ...args],
      env: {
        ...{ PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '/' },
        ...settingsEnv(name, { ...usual, ...settings }),
        ...env,
      },
      ...(wrap === undefined ? {} : { wrap }),
    },
    { name, logFile: join(logs, `${name}.log`) },
  );
}
