import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NodeView } from '../../../controller/http/schemas.js';
import { until } from '../../support/until.js';
import { type Canary, createCanary } from '../judge/canary.js';
import { judge, type Verdict, withFaults } from '../judge/checker.js';
import type { Allowances } from '../judge/evidence.js';
import { gatherEvidence } from '../judge/evidence-of-rig.js';
import { judgeSuccesses } from '../judge/judge-successes.js';
import { LEDGER_HOOK, writeLedgerHook } from '../judge/ledger.js';
import type { ScenarioContext } from '../scenario.js';
import { type AgentPart, createAgentPart } from './agent-part.js';
import { createPatientApi, type PatientApi } from './api.js';
import { createCoreParts, startCoreParts } from './core-parts.js';
import { createLoad, type Load } from './load.js';
import type { Part } from './part.js';
import type { PartOptions, RigOptions, RigPaths } from './part-options.js';
import { storeOf } from './store-of.js';

/** One of the controllers, and the way to it alone. */
export type RigController = Readonly<{ part: Part; url: string; api: PatientApi }>;

/** A whole installation as real processes, with work for it and a judge who stands outside. */
export type Rig = Readonly<{
  broker: Part;
  /** The first one, or the only one. */
  controller: Part;
  /** All on the same store. */
  controllers: readonly RigController[];
  /** Where the first controller keeps its keys and, unless it is elsewhere, its store. */
  controllerDir: string;
  /** The store: a directory, or the URL of a database. */
  store: string;
  /** The first agent, `node-1`. */
  agent: AgentPart;
  /** Enrolls and starts a further agent. */
  addAgent: (node: string, options?: PartOptions) => Promise<AgentPart>;
  brokerUrl: string;
  api: PatientApi;
  /** The same for the holder of another token. */
  apiAs: (token: string) => PatientApi;
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

/** Starts broker, controller and one agent, enrolled and connected. */
export async function startRig(context: ScenarioContext, options: RigOptions = {}): Promise<Rig> {
  const { directory, quietMs, program } = context;
  const canary = createCanary();
  const paths = prepare(directory, canary);
  const core = await createCoreParts(options, { directory, logs: paths.logs, program });
  const { broker, controllers, controllerDir, urls, brokerUrl } = core;
  const [controller] = controllers;
  const parts: Part[] = [...controllers, broker];
  const stop = async (): Promise<void> => {
    for (const part of parts) if (part.isRunning()) await part.kill('SIGKILL');
  };
  try {
    const { url, token } = await startCoreParts(core);
    const apiAs = (other: string): PatientApi => createPatientApi(urls, other);
    const api = apiAs(token);
    const store = storeOf(options, controllerDir);
    const brokerUrlForAgent = (await options.brokerUrlForAgent?.(brokerUrl)) ?? brokerUrl;
    const from = { bundle: context.agentBundle, api, controllerUrl: url, brokerUrl: brokerUrlForAgent, canary, paths };
    const agents: AgentPart[] = [];
    const addAgent = async (node: string, part: PartOptions = {}): Promise<AgentPart> => {
      const agent = await createAgentPart({ node, ...part, dataDir: part.dataDir ?? join(directory, node) }, from);
      parts.unshift(agent);
      agents.push(agent);
      await bringUp(agent, api);
      return agent;
    };
    const agent = await addAgent('node-1', options.agent);
    const load = createLoad({ api, node: agent.node });
    const ledgerFile = paths.ledger;
    return {
      ...{ broker, controller, controllerDir, store, agent, addAgent, brokerUrl },
      controllers: controllers.map((part, at) => oneOf(part, urls[at] ?? url, token)),
      ...{ api, apiAs, load, canary, ledgerFile, stop },
      quiet: (deadlineMs = quietMs) => load.quiet(deadlineMs),
      async judge(allowances) {
        const found = { directory, ledgerFile, store, agents, controllers, broker, load, api, canary, quietMs };
        const evidence = await gatherEvidence(found);
        return withFaults(judge(evidence, allowances), judgeSuccesses(evidence, allowances));
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function oneOf(part: Part, url: string, token: string): RigController {
  return { part, url, api: createPatientApi([url], token) };
}

/** An agent that can be asked: only once the controller knows its hook. */
async function bringUp(agent: AgentPart, api: PatientApi): Promise<void> {
  await agent.start();
  await agent.welcomed();
  const hasHook = async (): Promise<boolean> => {
    const { bytes } = await api.call('GET', `/nodes/${agent.node}`);
    return NodeView.parse(JSON.parse(bytes.toString())).hooks.includes(LEDGER_HOOK);
  };
  await until(hasHook, { what: `the controller knows what ${agent.node} offers` });
  agent.noteIdle();
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
