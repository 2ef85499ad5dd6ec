import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { EnrollmentTokenCreated } from '../../../controller/http/schemas.js';
import { HARMLESS } from '../../support/harmless.js';
import type { Canary } from '../judge/canary.js';
import type { PatientApi } from './api.js';
import { createPart, type Part } from './part.js';
import { type PartOptions, type RigPaths, settingsEnv } from './part-options.js';
import { countDescriptors } from './proc.js';

/** An agent as a real process. */
export type AgentPart = Part &
  Readonly<{
    node: string;
    dataDir: string;
    /** What stands in the environment of its hooks and of nobody else's, in other runs on this machine either. */
    hookMarks: readonly [string, string];
    /** With which it enrolled. */
    token: string;
    /** Resolves once this process of it has had its first welcome. */
    welcomed: () => Promise<void>;
    /** Remembers how many files it has open while it has nothing to do. */
    noteIdle: () => void;
    idleDescriptors: () => number;
    /** Results that wait for their receipt. */
    unreceipted: () => Promise<number>;
  }>;

/** Short, so that a stop does not hold up a run. */
const DRAIN = '2s';

export async function createAgentPart(
  { node, dataDir = '', settings = {}, env = {}, wrap }: PartOptions & Readonly<{ node: string }>,
  from: Readonly<{
    bundle: string;
    api: PatientApi;
    controllerUrl: string;
    brokerUrl: string;
    canary: Canary;
    paths: RigPaths;
  }>,
): Promise<AgentPart> {
  const { bundle, api, controllerUrl, brokerUrl, canary, paths } = from;
  const created = await api.call('POST', '/enrollment-tokens', { body: { uses: 1 } });
  const { token } = EnrollmentTokenCreated.parse(JSON.parse(created.bytes.toString()));
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const part = createPart(
    {
      argv: [process.execPath, bundle],
      env: {
        ...{ PATH: paths.path, HOME: '/', MUSTER_FAULTS_SECRET: canary.secret },
        ...settingsEnv('agent', {
          ...{ data_dir: dataDir, node_id: node, enroll_url: controllerUrl, enroll_token: token },
          ...{ broker_url: brokerUrl, hooks_dir: paths.hooks, metrics_port: 0, drain_timeout: DRAIN },
          // A fault run kills more often than any machine does, and waits for no ten minutes.
          ...{ restart_guard: false, log_level: 'debug', ...HARMLESS, ...settings },
        }),
        ...env,
      },
      ...(wrap === undefined ? {} : { wrap }),
    },
    { name: node, logFile: join(paths.logs, `${node}.log`) },
  );
  let idleDescriptors = 0;
  const metric = async (name: string): Promise<number> => {
    const { ready } = z.object({ ready: z.object({ metricsPort: z.int() }) }).parse(await part.said('ready'));
    const answer = await fetch(`http://127.0.0.1:${ready.metricsPort}/metrics`, {
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(5_000),
    });
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(await answer.text())?.[1] ?? Number.NaN);
  };
  return {
    ...part,
    ...{ node, dataDir, token, hookMarks: [`\0MUSTER_NODE_ID=${node}\0`, `canary-${canary.digits}`] },
    async welcomed() {
      await part.said('welcomed');
    },
    noteIdle() {
      idleDescriptors = countDescriptors(part.pid());
    },
    idleDescriptors: () => idleDescriptors,
    unreceipted: () => metric('muster_agent_outbox_results'),
  };
}
