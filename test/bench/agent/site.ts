import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { saveIdentity } from '../../../agent/identity.js';
import { signBrokerToken } from '../../../protocol/broker-token.js';
import { SYSTEM_CLOCK, toTime } from '../../../runtime/clock.js';
import { makeDataDir } from '../../../runtime/data-dir.js';
import { type Installation, startInstallation } from '../controller-setup.js';
import { connectController, type ScriptedController } from './scripted-controller.js';

/** The id of the one node. */
export const NODE = 'bench';
const LIFE_SECONDS = 24 * 3600;

/** A broker as a process, a controller that only signs and sends, and the directory of an enrolled node. */
export type Site = Readonly<{
  brokerUrl: string;
  controller: ScriptedController;
  dataDir: string;
  stop: () => Promise<void>;
}>;

/** Starts the broker and enrolls the node by hand: what is measured has been enrolled long ago. */
export async function startSite(directory: string): Promise<Site> {
  const installation = await startInstallation(directory);
  const dataDir = makeDataDir(join(directory, 'agent'));
  enroll(installation, dataDir);
  const { access } = installation;
  const controller = await connectController({ ...access, node: NODE, password: password(installation, 'controller') });
  return {
    brokerUrl: access.url,
    controller,
    dataDir,
    async stop() {
      await controller.stop();
      await installation.stop();
    },
  };
}

function enroll(installation: Installation, dataDir: string): void {
  const { access, keys } = installation;
  saveIdentity(dataDir, {
    v: 1,
    ...access.scope,
    node: NODE,
    root: keys.root.jwk,
    keys: readFileSync(keys.listFile, 'utf8').trim(),
    broker: { url: access.url, username: NODE, password: password(installation, 'node') },
    enrolled_at: toTime(SYSTEM_CLOCK.nowMs()),
  });
}

function password({ access }: Installation, role: 'node' | 'controller'): string {
  const iat = Math.floor(SYSTEM_CLOCK.nowMs() / 1000);
  const sub = role === 'node' ? NODE : `ctl-${NODE}`;
  const { org } = access.scope;
  return signBrokerToken({ org, sub, role, groups: [], iat, exp: iat + LIFE_SECONDS }, access.signer);
}
