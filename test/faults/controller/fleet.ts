import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '../../../cli/client.js';
import { EnrollmentTokenCreated, NodeView } from '../../../controller/http/schemas.js';
import { makeDataDir } from '../../../runtime/data-dir.js';
import type { TestScope } from '../../support/broker.js';
import { runnable } from '../../support/runnable.js';
import { until } from '../../support/until.js';
import type { Mark } from '../judge/judge-return.js';
import { findIsolations } from '../rig/isolations.js';
import { createPart, type Part } from '../rig/part.js';
import { MARK, readMarks, writeMarkHook } from './fleet-hook.js';
import type { FleetShare } from './fleet-share.js';

/** The groups of a fleet, a third of the nodes each; the last third is in none. */
export const GROUPS = ['first-third', 'second-third'] as const;

/** So many nodes stay, two of each third: an order that nobody could hear would not be one broadcast. */
const STAYING = 2 * (GROUPS.length + 1);

/** Many agents of the real code in a few processes, which come and go together, and a few that stay. */
export type Fleet = Readonly<{
  /** Those that stay are the last. */
  nodes: readonly string[];
  /** The nodes of a group. */
  membersOf: (group: (typeof GROUPS)[number]) => readonly string[];
  /** kill -9 of all that go, at once; resolves when the controller has noticed. */
  leave: () => Promise<void>;
  /** They start one after the other over this time; resolves when each has been welcomed. */
  come: (spreadMs: number) => Promise<void>;
  /** Stops them in order; true when each process ended with 0. */
  stop: () => Promise<boolean>;
  /** What the hook wrote, in the order of its writing. */
  marks: () => readonly Mark[];
}>;

type FleetOptions = Readonly<{
  directory: string;
  url: string;
  client: Client;
  /** How many come and go, and in how many processes. */
  count: number;
  processes: number;
  /** Over how long a time they enroll. */
  spreadMs: number;
}>;

/** A process with many agents, and its share of them. */
type FleetPart = Readonly<{ part: Part; start: (spreadMs: number) => Promise<void> }>;

const CHILD = new URL('fleet-child.ts', import.meta.url);
const KNOWN_MS = 120_000;
/** On a machine that has much else to do a fleet takes far longer to come than it is given. */
const COME_MS = 240_000;

/** Enrolls the nodes and waits until the controller knows them well. */
export async function startFleet(scope: TestScope, options: FleetOptions): Promise<Fleet> {
  const { directory, client, count, processes, spreadMs } = options;
  const ledger = join(directory, 'ledger');
  const nodes = Array.from({ length: count + STAYING }, (_, at) => `node-${String(at + 1).padStart(4, '0')}`);
  const tokens = await makeTokens(client, nodes.length);
  const agents = nodes.map((node, at) => ({ node, token: tokens[at % tokens.length] ?? '' }));
  // With a process group alone each agent looks through all processes of the machine: too many for a thousand agents.
  const [isolation] = await findIsolations();
  const all = createFleetParts(scope, { ...options, ledger, agents, isolation });
  const going = all.slice(0, processes);
  const start = async (parts: readonly FleetPart[], overMs: number): Promise<void> => {
    await Promise.all(parts.map((each) => each.start(overMs)));
  };
  const kill = (parts: readonly FleetPart[], signal: NodeJS.Signals) =>
    Promise.all(parts.map(({ part }) => part.kill(signal)));

  await start(all, spreadMs);
  // A node that was here once only is asked in its own words: nobody knows yet since when its journal counts.
  await kill(all, 'SIGTERM');
  await start(all, spreadMs);
  await untilNodes(client, nodes.length, ({ hooks }) => hooks.includes(MARK));
  return {
    nodes,
    membersOf: (group) => nodes.filter((_, at) => at % tokens.length === GROUPS.indexOf(group)),
    async leave() {
      await kill(going, 'SIGKILL');
      await untilNodes(client, STAYING, ({ state }) => state === 'online');
    },
    come: (overMs) => start(going, overMs),
    stop: async () => (await kill(all, 'SIGTERM')).every(({ code }) => code === 0),
    marks: () => readMarks(ledger),
  };
}

/** One for each group, and one for the nodes without. */
async function makeTokens(client: Client, uses: number): Promise<string[]> {
  const make = async (groups: readonly string[]): Promise<string> => {
    const call = { method: 'POST', path: '/enrollment-tokens', body: { uses, groups } } as const;
    return (await client.call(EnrollmentTokenCreated, call)).token;
  };
  return Promise.all([...GROUPS.map((group) => make([group])), make([])]);
}

/** The processes of those that come and go, and one for those that stay; none runs yet, and all end with the scope. */
function createFleetParts(
  scope: TestScope,
  {
    directory,
    url,
    count,
    processes,
    ledger,
    agents,
    isolation,
  }: FleetOptions & Pick<FleetShare, 'agents' | 'isolation'> & Readonly<{ ledger: string }>,
): FleetPart[] {
  const hooks = makeDataDir(join(directory, 'hooks'));
  writeMarkHook(hooks, ledger);
  // A real fleet has a disk for each node.
  const journals = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'muster-fleet-'));
  scope.after(() => rmSync(journals, { recursive: true, force: true }));
  const shares = Array.from({ length: processes + 1 }, (_, which) =>
    agents.filter((_agent, at) => (at < count ? at % processes : processes) === which),
  );
  const parts = shares.map((own, which) =>
    createFleetPart({ url, directory: journals, hooks, isolation, agents: own }, `${directory}/fleet-${which}.log`),
  );
  scope.after(() => Promise.all(parts.map(({ part }) => part.kill('SIGKILL'))));
  return parts;
}

function createFleetPart(share: Omit<FleetShare, 'spreadMs'>, logFile: string): FleetPart {
  const argvOf = (spreadMs: number): string[] => {
    const { script, execArgv } = runnable(CHILD);
    return [process.execPath, ...execArgv, script, JSON.stringify({ ...share, spreadMs })];
  };
  const env = { PATH: process.env.PATH ?? '', HOME: '/' };
  const part = createPart({ argv: argvOf(0), env }, { name: 'a part of the fleet', logFile });
  return {
    part,
    async start(spreadMs) {
      await part.start({ argv: argvOf(spreadMs) });
      await part.said('welcomed', COME_MS);
    },
  };
}

/** Waits until the controller says this of so many nodes. */
async function untilNodes(client: Client, count: number, holds: (node: NodeView) => boolean): Promise<void> {
  const areSo = async (): Promise<boolean> =>
    (await client.list(NodeView, { path: '/nodes' })).filter(holds).length === count;
  await until(areSo, { what: `the controller says it of ${count} nodes`, deadlineMs: KNOWN_MS });
}
