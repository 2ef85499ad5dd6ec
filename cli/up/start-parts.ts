import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ensureKeys } from '../../controller/identity/keys.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { readConnection } from '../installation.js';
import type { Installation } from './installation.js';
import { type Part, type PartSpec, startPart } from './part.js';

export type UpOptions = Readonly<{ httpPort: number; mqttPort: number }>;

/** What a running installation is reached by. */
export type Access = Readonly<{ url: string; token: string }>;

const BrokerReady = z.object({ port: z.int(), metricsPort: z.int() });
const ControllerReady = z.object({ url: z.string(), port: z.int() });
const AgentReady = z.object({ node: z.string(), metricsPort: z.int() });

type PartOptions = Readonly<{
  installation: Installation;
  onRestart: (part: string, exitCode: number, waitMs: number) => void;
}>;

/** Starts the broker on loopback; it checks passwords by the public keys that the controller signs with. */
export async function startBrokerPart(
  { installation, onRestart }: PartOptions,
  mqttPort: number,
): Promise<{ part: Part; url: string; metricsPort: number }> {
  ensureKeys(installation.controller, 'default', SYSTEM_CLOCK);
  const part = await startPart({
    ...specOf('broker', installation, onRestart),
    args: (ready) => {
      const before = BrokerReady.safeParse(ready).data;
      return [`--data=${installation.directory}`, `--port=${before?.port ?? mqttPort}`, ...metricsPortOf(before)];
    },
  });
  const { port, metricsPort } = BrokerReady.parse(part.ready);
  return { part, url: `mqtt://127.0.0.1:${port}`, metricsPort };
}

/** Starts the controller, which leaves in `cli.json` of the installation what the CLI needs. */
export async function startControllerPart(
  { installation, onRestart }: PartOptions,
  { httpPort, brokerUrl }: { httpPort: number; brokerUrl: string },
): Promise<{ part: Part; access: Access }> {
  const part = await startPart({
    ...specOf('controller', installation, onRestart),
    args: (ready) => {
      const { port } = ControllerReady.catch({ url: '', port: httpPort }).parse(ready);
      return [`--port=${port}`, `--data=${installation.directory}`, `--broker-url=${brokerUrl}`];
    },
  });
  const { url } = ControllerReady.parse(part.ready);
  const { token } = readConnection(installation.directory);
  return { part, access: { url, token } };
}

/** Starts the local agent; `makeToken` is asked only when it has no identity yet. */
export async function startAgentPart(
  { installation, onRestart, drainTimeout }: PartOptions & Readonly<{ drainTimeout: string }>,
  { url, brokerUrl, makeToken }: { url: string; brokerUrl: string; makeToken: () => Promise<string> },
): Promise<{ part: Part; node: string; metricsPort: number }> {
  const enrolled = existsSync(join(installation.agent, 'identity.json'));
  const part = await startPart({
    ...specOf('agent', installation, onRestart),
    args: (ready) => [
      `--enroll-url=${url}`,
      `--data-dir=${installation.agent}`,
      `--broker-url=${brokerUrl}`,
      `--hooks-dir=${installation.hooks}`,
      ...metricsPortOf(AgentReady.safeParse(ready).data),
      `--drain-timeout=${drainTimeout}`,
    ],
    env: enrolled ? {} : { MUSTER_AGENT_ENROLL_TOKEN: await makeToken() },
  });
  const { node, metricsPort } = AgentReady.parse(part.ready);
  return { part, node, metricsPort };
}

/** At the first start a part takes the usual port or a free one by itself; afterwards the one that it had. */
function metricsPortOf(before: { metricsPort: number } | undefined): string[] {
  return before === undefined ? [] : [`--metrics-port=${before.metricsPort}`];
}

function specOf(name: string, installation: Installation, onRestart: PartOptions['onRestart']): Omit<PartSpec, 'args'> {
  return {
    name,
    logDirectory: installation.logs,
    onRestart: (exitCode, waitMs) => onRestart(name, exitCode, waitMs),
  };
}
