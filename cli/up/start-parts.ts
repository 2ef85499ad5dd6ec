import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ensureKeys } from '../../controller/identity/keys.js';
import { writeFileAtomic } from '../../runtime/atomic-file.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { errnoOf } from '../../runtime/errno.js';
import { freeOrAny, type Installation } from './installation.js';
import { type Part, type PartSpec, startPart } from './part.js';

export type UpOptions = Readonly<{ httpPort: number; mqttPort: number }>;

/** What a running installation is reached by. */
export type Access = Readonly<{ url: string; token: string }>;

const Access = z.object({ url: z.string(), token: z.string() });
const BrokerReady = z.object({ port: z.int(), metricsPort: z.int() });
const ControllerReady = z.object({ url: z.string(), port: z.int() });
const AgentReady = z.object({ node: z.string(), metricsPort: z.int() });

const BROKER_METRICS_PORT = 9465;
const AGENT_METRICS_PORT = 9464;

type PartOptions = Readonly<{
  installation: Installation;
  onRestart: (part: string, exitCode: number, waitMs: number) => void;
}>;

/** Starts the broker on loopback; it checks passwords by the public keys that the controller signs with. */
export async function startBrokerPart(
  { installation, onRestart }: PartOptions,
  mqttPort: number,
): Promise<{ part: Part; url: string; metricsPort: number }> {
  const keys = ensureKeys(installation.controller, 'default', SYSTEM_CLOCK);
  const anyMetricsPort = await freeOrAny(BROKER_METRICS_PORT);
  const part = await startPart({
    ...specOf('broker', installation, onRestart),
    args: (ready) => {
      const { port, metricsPort } = BrokerReady.catch({ port: mqttPort, metricsPort: anyMetricsPort }).parse(ready);
      return [
        `--port=${port}`,
        `--metrics-port=${metricsPort}`,
        `--root-file=${keys.rootFile}`,
        `--keys-file=${keys.listFile}`,
      ];
    },
  });
  const { port, metricsPort } = BrokerReady.parse(part.ready);
  return { part, url: `mqtt://127.0.0.1:${port}`, metricsPort };
}

/** Starts the controller and copies what reaches it to `cli.json` of the installation, where the CLI looks. */
export async function startControllerPart(
  { installation, onRestart }: PartOptions,
  { httpPort, brokerUrl }: { httpPort: number; brokerUrl: string },
): Promise<{ part: Part; access: Access }> {
  const part = await startPart({
    ...specOf('controller', installation, onRestart),
    args: (ready) => {
      const { port } = ControllerReady.catch({ url: '', port: httpPort }).parse(ready);
      return [`--port=${port}`, `--data=${installation.controller}`, `--broker-url=${brokerUrl}`];
    },
  });
  const { url } = ControllerReady.parse(part.ready);
  const { token } = Access.parse(JSON.parse(readFileSync(join(installation.controller, 'cli.json'), 'utf8')));
  writeFileAtomic(join(installation.directory, 'cli.json'), `${JSON.stringify({ url, token })}\n`, 0o600);
  return { part, access: { url, token } };
}

/** Starts the local agent; `makeToken` is asked only when it has no identity yet. */
export async function startAgentPart(
  { installation, onRestart }: PartOptions,
  { url, brokerUrl, makeToken }: { url: string; brokerUrl: string; makeToken: () => Promise<string> },
): Promise<{ part: Part; node: string; metricsPort: number }> {
  const anyMetricsPort = await freeOrAny(AGENT_METRICS_PORT);
  const enrolled = exists(join(installation.agent, 'identity.json'));
  const part = await startPart({
    ...specOf('agent', installation, onRestart),
    args: (ready) => [
      `--enroll=${url}`,
      `--data=${installation.agent}`,
      `--broker-url=${brokerUrl}`,
      `--hooks-dir=${installation.hooks}`,
      `--metrics-port=${AgentReady.catch({ node: '', metricsPort: anyMetricsPort }).parse(ready).metricsPort}`,
      '--drain-timeout=3s',
    ],
    env: enrolled ? {} : { MUSTER_AGENT_ENROLL_TOKEN: await makeToken() },
  });
  const { node, metricsPort } = AgentReady.parse(part.ready);
  return { part, node, metricsPort };
}

function specOf(name: string, installation: Installation, onRestart: PartOptions['onRestart']): Omit<PartSpec, 'args'> {
  return {
    name,
    logDirectory: installation.logs,
    onRestart: (exitCode, waitMs) => onRestart(name, exitCode, waitMs),
  };
}

function exists(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
