import { Command } from 'commander';
import { z } from 'zod';
import { InvocationAnswer, NodeView } from '../../controller/http/schemas.js';
import { isMusterError, MusterError } from '../../protocol/errors.js';
import { claimDataDir } from '../../runtime/data-dir.js';
import { type Client, createClient } from '../client.js';
import { follow } from '../follow.js';
import { dataDirOf } from '../installation.js';
import { type Io, printLine } from '../io.js';
import { renderOutcome } from '../report.js';
import { passedOver, portIn, settingIn } from '../up/environment.js';
import { makeInstallation, whenFree } from '../up/installation.js';
import { type Part, PartFailed } from '../up/part.js';
import { startAgentPart, startBrokerPart, startControllerPart } from '../up/start-parts.js';

const HELP = `
State lies in ./.muster unless --data or MUSTER_DATA says otherwise; everything listens on this machine alone.
Put hooks into the folder hooks/ of that directory. Ctrl-C stops all of it. Settings of the parts come from the
environment, such as MUSTER_AGENT_MAX_CONCURRENT; which directories and addresses the parts use among each other does not.

Examples:
  $ muster up
  $ muster up --data /srv/muster --http-port 8081 --mqtt-port 1884`;

const Options = z.object({
  data: z.string().optional(),
  httpPort: z.string().optional(),
  mqttPort: z.string().optional(),
});

/** Whoever stops all of it does not want to wait for long. */
const DRAIN_TIMEOUT = '3s';

/** How long a local node may take to say what it offers. */
const ONLINE_MS = 30_000;

/** `muster up`: broker, controller and one local agent, each a process, and a first action to show that they work. */
export function upCommand(io: Io): Command {
  return new Command('up')
    .description('Run broker, controller and one local agent on this machine until it is stopped.')
    .option('--data <dir>', 'directory of the installation (MUSTER_DATA; else ./.muster)')
    .option('--http-port <port>', 'port of the REST API; 0 takes a free one (MUSTER_CONTROLLER_PORT; else 8080)')
    .option('--mqtt-port <port>', 'port of the broker; 0 takes a free one (MUSTER_BROKER_PORT; else 1883)')
    .addHelpText('after', HELP)
    .action(async (options: unknown) => {
      const { data, httpPort, mqttPort } = Options.parse(options);
      const ports = {
        httpPort: portIn(io.env, {
          flag: '--http-port',
          given: httpPort,
          name: 'MUSTER_CONTROLLER_PORT',
          usual: '8080',
        }),
        mqttPort: portIn(io.env, { flag: '--mqtt-port', given: mqttPort, name: 'MUSTER_BROKER_PORT', usual: '1883' }),
      };
      for (const name of passedOver(io.env)) {
        io.stderr.write(`${name} is not used: muster up decides that itself. See: muster help up\n`);
      }
      const stop = listenForStop(io);
      const dataDir = await claimDataDir(dataDirOf(data, io.env));
      const parts: Part[] = [];
      try {
        await start(io, { directory: dataDir.path, ...ports, parts, signal: stop.signal });
        await stop.asked;
      } catch (error) {
        if (!(error instanceof PartFailed)) throw error;
        io.exitWith(error.exitCode);
      } finally {
        if (parts.length > 0) io.stderr.write('Stopping…\n');
        await stopAll(parts, stop.again);
        await dataDir.release();
        stop.end();
      }
    });
}

async function start(
  io: Io,
  {
    directory,
    httpPort,
    mqttPort,
    parts,
    signal,
  }: Readonly<{ directory: string; httpPort: number; mqttPort: number; parts: Part[]; signal: AbortSignal }>,
): Promise<void> {
  const options = {
    installation: makeInstallation(directory, settingIn(io.env, 'MUSTER_AGENT_HOOKS_DIR')),
    drainTimeout: settingIn(io.env, 'MUSTER_AGENT_DRAIN_TIMEOUT') ?? DRAIN_TIMEOUT,
    onRestart: (part: string, exitCode: number, waitMs: number) =>
      io.stderr.write(`The ${part} ended with ${exitCode} and starts again in ${Math.round(waitMs)} ms.\n`),
  };
  io.stderr.write(`Starting in ${directory}\n`);
  await whenFree(options.installation);
  const broker = await startBrokerPart(options, mqttPort);
  parts.unshift(broker.part);
  const controller = await startControllerPart(options, { httpPort, brokerUrl: broker.url });
  parts.unshift(controller.part);
  const client = createClient(controller.access);
  const agent = await startAgentPart(options, {
    url: controller.access.url,
    brokerUrl: broker.url,
    makeToken: () => makeToken(client),
  });
  parts.unshift(agent.part);

  printLine(io, '');
  for (const [name, value] of [
    ['Dashboard', `${controller.access.url}/  (npx muster dashboard opens it signed in)`],
    ['REST API', `${controller.access.url}/api/v1  (try it: ${controller.access.url}/docs)`],
    ['MQTT', broker.url],
    ['Node', agent.node],
    ['Hooks', options.installation.hooks],
    [
      'Metrics',
      [
        `${controller.access.url}/metrics`,
        ...[broker, agent].map(({ metricsPort }) => `http://127.0.0.1:${metricsPort}/metrics`),
      ].join('  '),
    ],
    ['Logs', options.installation.logs],
    ['Log in', `the owner's token is in ${directory}/cli.json; muster finds it there by itself`],
  ]) {
    printLine(io, `${`${name}:`.padEnd(11)}${value}`);
  }
  await showFirstAction(io, { client, node: agent.node, signal });
  printLine(io, `\nIt runs until Ctrl-C. In a second terminal: npx muster nodes`);
}

/** Runs `gather_info` on the local node. A node that is slow to come is no reason to stop. */
async function showFirstAction(
  io: Io,
  { client, node, signal }: { client: Client; node: string; signal: AbortSignal },
): Promise<void> {
  printLine(io, `\n$ muster run gather_info --node ${node}`);
  try {
    await whenOffered(client, { node, signal });
    const { invocation } = await client.call(InvocationAnswer, {
      method: 'POST',
      path: '/invocations',
      body: { action: 'gather_info', target: { nodes: [node] }, reason: 'muster up' },
      signal,
    });
    const outcome = await follow(client, invocation.id, { waitSeconds: 30, signal, onState: () => undefined });
    io.stdout.write(await renderOutcome(client, outcome, io));
  } catch (error) {
    if (!isMusterError(error)) throw error;
    if (!signal.aborted) io.stderr.write(`It did not run: ${error.message}\n`);
  }
}

async function whenOffered(client: Client, { node, signal }: { node: string; signal: AbortSignal }): Promise<void> {
  for (const deadlineMs = performance.now() + ONLINE_MS; performance.now() < deadlineMs; ) {
    const { state, builtin_actions } = await client.call(NodeView, { path: `/nodes/${node}`, signal });
    if (state === 'online' && builtin_actions.includes('gather_info')) return;
    await new Promise((later) => setTimeout(later, 50));
  }
  throw new MusterError('deadline_passed', `the node ${node} did not come online in ${ONLINE_MS / 1000} s`);
}

async function makeToken(client: Client): Promise<string> {
  const { token } = await client.call(z.object({ token: z.string() }), {
    method: 'POST',
    path: '/enrollment-tokens',
    body: { uses: 1, expires_in: '10m' },
  });
  return token;
}

/** The agent first, while there is somebody to take its last results; a second Ctrl-C skips the waiting. */
async function stopAll(parts: readonly Part[], again: AbortSignal): Promise<void> {
  for (const part of parts) {
    const stopped = part.stop();
    const hurry = (): void => void part.stop();
    if (again.aborted) hurry();
    again.addEventListener('abort', hurry, { once: true });
    await stopped;
    again.removeEventListener('abort', hurry);
  }
}

function listenForStop(io: Io): { asked: Promise<void>; signal: AbortSignal; again: AbortSignal; end: () => void } {
  const first = new AbortController();
  const second = new AbortController();
  const onAsk = (): void => (first.signal.aborted ? second : first).abort();
  const end = io.onInterrupt(onAsk);
  const asked = new Promise<void>((resolve) => first.signal.addEventListener('abort', () => resolve(), { once: true }));
  return { asked, signal: first.signal, again: second.signal, end };
}
