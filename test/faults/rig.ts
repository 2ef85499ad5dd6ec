import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { readConnection } from '../../cli/installation.js';
import { NodeView } from '../../controller/http/schemas.js';
import { ensureKeys } from '../../controller/identity/keys.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { makeDataDir } from '../../runtime/data-dir.js';
import { listen } from '../../runtime/listen.js';
import { until } from '../support/until.js';
import { type AgentPart, createAgentPart } from './agent-part.js';
import { createPatientApi, type PatientApi } from './api.js';
import { type Canary, createCanary } from './canary.js';
import { judge, type Verdict } from './checker.js';
import type { Allowances } from './evidence.js';
import { gatherEvidence } from './evidence-of-rig.js';
import { LEDGER_HOOK, writeLedgerHook } from './ledger.js';
import { createLoad, type Load } from './load.js';
import { createPart, type Part } from './part.js';
import { type PartOptions, type RigPaths, settingsEnv } from './part-options.js';
import type { ScenarioContext } from './scenario.js';

export type RigOptions = Readonly<{
  agent?: PartOptions;
  controller?: PartOptions;
  /** A function makes a broker of another kind, which has to listen on this port of 127.0.0.1. */
  broker?: PartOptions | ((port: number) => Part);
  /** Where agents reach the broker, when something stands in between. */
  brokerUrlForAgent?: (brokerUrl: string) => string | Promise<string>;
  /** Where the controller reaches it; called before the broker is started. */
  brokerUrlForController?: (brokerUrl: string) => string | Promise<string>;
}>;

/** A whole installation as real processes, with work for it and a judge who stands outside. */
export type Rig = Readonly<{
  broker: Part;
  controller: Part;
  /** The first agent, `node-1`. */
  agent: AgentPart;
  /** Enrolls and starts a further agent. */
  addAgent: (node: string, options?: PartOptions) => Promise<AgentPart>;
  brokerUrl: string;
  api: PatientApi;
  load: Load;
  canary: Canary;
  /** The file that every hook appends to; on the rig's own disk. */
  ledgerFile: string;
  /** Waits until each accepted execution has a definite end that is not provisional; false at the deadline. */
  quiet: (deadlineMs?: number) => Promise<boolean>;
  /** Ends all parts in order, and judges by what they leave behind. Call it once, when it is quiet. */
  judge: (allowances?: Allowances) => Promise<Verdict>;
  /** Kills whatever still runs. Call it in any case. */
  stop: () => Promise<void>;
}>;

const BIN = new URL('../../bin/muster.js', import.meta.url).pathname;

/** Starts broker, controller and one agent, enrolled and connected. */
export async function startRig(context: ScenarioContext, options: RigOptions = {}): Promise<Rig> {
  const { directory } = context;
  const canary = createCanary();
  const paths = prepare(directory, canary);
  const controllerDir = options.controller?.dataDir ?? join(directory, 'controller');
  const { rootFile, listFile } = ensureKeys(makeDataDir(join(controllerDir, 'controller')), 'default', SYSTEM_CLOCK);
  const [brokerPort, controllerPort] = [await freePort(), await freePort()];
  const brokerUrl = `mqtt://127.0.0.1:${brokerPort}`;
  const parts: Part[] = [];
  const partOf = (name: string, args: readonly string[], part: PartOptions | undefined, settings: object): Part =>
    createPart(
      {
        argv: [process.execPath, BIN, name, ...args],
        env: { ...baseEnv(), ...settingsEnv(name, { ...settings, ...part?.settings }), ...part?.env },
        ...(part?.wrap === undefined ? {} : { wrap: part.wrap }),
      },
      { name, logFile: join(paths.logs, `${name}.log`) },
    );
  const broker =
    typeof options.broker === 'function'
      ? options.broker(brokerPort)
      : partOf('broker', [], options.broker, {
          ...{ port: brokerPort, metrics_port: 0, root_file: rootFile, keys_file: listFile },
        });
  const controller = partOf('controller', [`--data=${controllerDir}`], options.controller, {
    ...{ port: controllerPort, broker_url: (await options.brokerUrlForController?.(brokerUrl)) ?? brokerUrl },
  });
  parts.push(controller, broker);
  const stop = async (): Promise<void> => {
    for (const part of parts) if (part.isRunning()) await part.kill('SIGKILL');
  };
  try {
    await broker.start();
    await controller.start();
    const { url, token } = readConnection(controllerDir);
    const api = createPatientApi(url, token);
    const brokerUrlForAgent = (await options.brokerUrlForAgent?.(brokerUrl)) ?? brokerUrl;
    const tokens: string[] = [];
    const agents: AgentPart[] = [];
    const addAgent = async (node: string, part: PartOptions = {}): Promise<AgentPart> => {
      const agent = await createAgentPart(
        { node, ...part, dataDir: part.dataDir ?? join(directory, node) },
        { bundle: context.agentBundle, api, controllerUrl: url, brokerUrl: brokerUrlForAgent, canary, paths },
      );
      tokens.push(agent.token);
      parts.unshift(agent);
      agents.push(agent);
      await agent.start();
      await agent.welcomed();
      await until(() => offers(api, node), { what: `the controller knows what ${node} offers` });
      await agent.noteIdle();
      return agent;
    };
    const agent = await addAgent('node-1', options.agent);
    const load = createLoad({ api, node: agent.node });
    return {
      ...{ broker, controller, agent, addAgent, brokerUrl, api, load, canary, stop },
      ledgerFile: paths.ledger,
      quiet: (deadlineMs = context.quietMs) => load.quiet(deadlineMs),
      async judge(allowances) {
        const evidence = await gatherEvidence({
          ...{ directory, ledgerFile: paths.ledger, controllerDir, agents, controller, broker, load, api, canary },
          secrets: [canary.secret, ...tokens],
        });
        return judge(evidence, allowances);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** `path` is the PATH of the agents: it holds the canary, and hooks inherit it. */
function prepare(directory: string, { digits }: Canary): RigPaths {
  const at = (name: string): string => join(directory, name);
  for (const name of ['hooks', 'logs', `canary-${digits}`]) mkdirSync(at(name));
  const paths = { hooks: at('hooks'), logs: at('logs'), ledger: at('ledger') };
  writeFileSync(paths.ledger, '');
  writeLedgerHook(paths.hooks, { ledger: paths.ledger, canary: digits });
  return { ...paths, path: `${process.env.PATH ?? ''}:${at(`canary-${digits}`)}` };
}

/** Only then its hook may be asked for. */
async function offers(api: PatientApi, node: string): Promise<boolean> {
  const { bytes } = await api.call('GET', `/nodes/${node}`);
  return NodeView.parse(JSON.parse(bytes.toString())).hooks.includes(LEDGER_HOOK);
}

/** The environment of broker and controller. */
function baseEnv(): Record<string, string> {
  return { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '/' };
}

/** A port of 127.0.0.1 that is free now; a part comes back to it after each of its ends. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server, { host: '127.0.0.1', port: 0, what: 'a free port' });
  await new Promise((closed) => server.close(closed));
  return port;
}
