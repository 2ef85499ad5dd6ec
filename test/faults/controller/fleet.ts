import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Client } from '../../../cli/client.js';
import { EnrollmentTokenCreated, NodeView } from '../../../controller/http/schemas.js';
import { makeDataDir } from '../../../runtime/data-dir.js';
import type { TestScope } from '../../support/broker.js';
import { until } from '../../support/until.js';
import type { Mark } from '../judge/judge-return.js';
import { createPart, type Part } from '../rig/part.js';
import type { FleetPart } from './fleet-part.js';

/** The hook that every node of a fleet offers. */
export const MARK = 'mark.sh';

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

const CHILD = fileURLToPath(new URL('fleet-child.ts', import.meta.url));
const KNOWN_MS = 120_000;
/** On a machine that has much else to do a fleet takes far longer to come than it is given. */
const COME_MS = 240_000;

/** Enrolls so many nodes that come and go, over `spreadMs`, and waits until the controller knows what they offer. */
export async function startFleet(
  scope: TestScope,
  {
    directory,
    ...options
  }: Readonly<{ directory: string; url: string; client: Client; count: number; processes: number; spreadMs: number }>,
): Promise<Fleet> {
  const { url, client, count, processes, spreadMs } = options;
  const ledger = join(directory, 'ledger');
  const hooks = makeDataDir(join(directory, 'hooks'));
  writeHook(hooks, ledger);
  // A real fleet has a disk for each node.
  const journals = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'muster-fleet-'));
  scope.after(() => rmSync(journals, { recursive: true, force: true }));
  const nodes = Array.from({ length: count + STAYING }, (_, at) => `node-${String(at + 1).padStart(4, '0')}`);
  const tokens = await makeTokens(client, nodes.length);
  const agents = nodes.map((node, at) => ({ node, token: tokens[at % tokens.length] ?? '' }));
  const argvOf = (which: number, overMs: number): string[] => {
    const own = agents.filter((_, at) => (at < count ? at % processes : processes) === which);
    const part: FleetPart = { url, directory: journals, hooks, agents: own, spreadMs: overMs };
    return [process.execPath, '--import', 'tsx', CHILD, JSON.stringify(part)];
  };
  const all = Array.from({ length: processes + 1 }, (_, which) =>
    createPart(
      { argv: argvOf(which, spreadMs), env: { PATH: process.env.PATH ?? '', HOME: '/' } },
      { name: `fleet-${which}`, logFile: join(directory, `fleet-${which}.log`) },
    ),
  );
  scope.after(() => Promise.all(all.map((part) => part.kill('SIGKILL'))));
  const going = all.slice(0, processes);
  const start = async (parts: readonly Part[], overMs: number): Promise<void> => {
    await Promise.all(
      parts.map(async (part) => {
        await part.start({ argv: argvOf(all.indexOf(part), overMs) });
        await part.said('welcomed', COME_MS);
      }),
    );
  };

  const known = (is: (node: NodeView) => boolean): Promise<number> =>
    client.list(NodeView, { path: '/nodes' }).then((all) => all.filter(is).length);
  const fleet: Fleet = {
    nodes,
    membersOf: (group) => nodes.filter((_, at) => at % tokens.length === GROUPS.indexOf(group)),
    async leave() {
      await Promise.all(going.map((part) => part.kill('SIGKILL')));
      const what = { what: 'the controller knows that they are away', deadlineMs: KNOWN_MS };
      await until(async () => (await known(({ state }) => state === 'online')) === STAYING, what);
    },
    come: (overMs) => start(going, overMs),
    async stop() {
      const ends = await Promise.all(all.map((part) => part.kill('SIGTERM')));
      return ends.every(({ code }) => code === 0);
    },
    marks: () => readFileSync(ledger, 'utf8').split('\n').filter(Boolean).map(toMark),
  };
  await start(all, spreadMs);
  // A node that was here once only is asked in its own words: nobody knows yet since when its journal counts.
  await Promise.all(all.map((part) => part.kill('SIGTERM')));
  await start(all, spreadMs);
  const what = { what: 'the controller knows what all offer', deadlineMs: KNOWN_MS };
  await until(async () => (await known((each) => each.hooks.includes(MARK))) === nodes.length, what);
  return fleet;
}

/** One for each group, and one for the nodes without. */
async function makeTokens(client: Client, uses: number): Promise<string[]> {
  const make = async (groups: readonly string[]): Promise<string> => {
    const call = { method: 'POST', path: '/enrollment-tokens', body: { uses, groups } } as const;
    return (await client.call(EnrollmentTokenCreated, call)).token;
  };
  return Promise.all([...GROUPS.map((group) => make([group])), make([])]);
}

/** Its first and its last act is a line in the ledger, by one write each. */
function writeHook(directory: string, ledger: string): void {
  writeFileSync(ledger, '');
  const note = (act: string): string =>
    `echo "${act} $MUSTER_EXECUTION_ID $MUSTER_NODE_ID \${EPOCHREALTIME/[.,]/}" >> '${ledger}'\n`;
  writeFileSync(join(directory, MARK), `#!/bin/bash\n${note('begin')}${note('end')}`);
  chmodSync(join(directory, MARK), 0o755);
}

function toMark(line: string): Mark {
  const [act, executionId = '', node = '', micros] = line.split(' ');
  return { act: act === 'begin' ? 'begin' : 'end', executionId, node, atMs: Number(micros) / 1000 };
}
