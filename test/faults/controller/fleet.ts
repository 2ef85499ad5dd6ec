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
import { createPart } from '../rig/part.js';
import type { FleetPart } from './fleet-part.js';

/** The hook that every node of a fleet offers. */
export const MARK = 'mark.sh';

/** The groups of a fleet, a third of the nodes each; the last third is in none. */
export const GROUPS = ['first-third', 'second-third'] as const;

/** Many agents of the real code in a few processes, which come and go together. */
export type Fleet = Readonly<{
  nodes: readonly string[];
  /** The nodes of a group. */
  membersOf: (group: (typeof GROUPS)[number]) => readonly string[];
  /** kill -9 of all at once; resolves when the controller has noticed. */
  leave: () => Promise<void>;
  /** They start one after the other over this time; resolves when each has been welcomed. */
  come: (spreadMs: number) => Promise<void>;
  /** Stops them in order; true when each process ended with 0. */
  stop: () => Promise<boolean>;
  /** What the hook wrote, in the order of its writing. */
  marks: () => readonly Mark[];
}>;

const CHILD = fileURLToPath(new URL('fleet-child.ts', import.meta.url));
const KNOWN_MS = 60_000;

/** Enrolls so many nodes, over `spreadMs`, and waits until the controller knows what they offer. */
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
  const nodes = Array.from({ length: count }, (_, at) => `node-${String(at + 1).padStart(4, '0')}`);
  const tokens = await makeTokens(client, count);
  const agents = nodes.map((node, at) => ({ node, token: tokens[at % tokens.length] ?? '' }));
  const argvOf = (which: number, overMs: number): string[] => {
    const own = agents.filter((_, at) => at % processes === which);
    const part: FleetPart = { url, directory: journals, hooks, agents: own, spreadMs: overMs };
    return [process.execPath, '--import', 'tsx', CHILD, JSON.stringify(part)];
  };
  const parts = Array.from({ length: processes }, (_, which) =>
    createPart(
      { argv: argvOf(which, spreadMs), env: { PATH: process.env.PATH ?? '', HOME: '/' } },
      { name: `fleet-${which}`, logFile: join(directory, `fleet-${which}.log`) },
    ),
  );
  scope.after(() => Promise.all(parts.map((part) => part.kill('SIGKILL'))));

  const known = (is: (node: NodeView) => boolean): Promise<number> =>
    client.list(NodeView, { path: '/nodes' }).then((all) => all.filter(is).length);
  const fleet: Fleet = {
    nodes,
    membersOf: (group) => nodes.filter((_, at) => at % tokens.length === GROUPS.indexOf(group)),
    async leave() {
      await Promise.all(parts.map((part) => part.kill('SIGKILL')));
      const what = { what: 'the controller knows that all are away', deadlineMs: KNOWN_MS };
      await until(async () => (await known(({ state }) => state === 'online')) === 0, what);
    },
    async come(overMs) {
      await Promise.all(
        parts.map(async (part, which) => {
          await part.start({ argv: argvOf(which, overMs) });
          await part.said('welcomed');
        }),
      );
    },
    async stop() {
      const ends = await Promise.all(parts.map((part) => part.kill('SIGTERM')));
      return ends.every(({ code }) => code === 0);
    },
    marks: () => readFileSync(ledger, 'utf8').split('\n').filter(Boolean).map(toMark),
  };
  await fleet.come(spreadMs);
  const what = { what: 'the controller knows what all offer', deadlineMs: KNOWN_MS };
  await until(async () => (await known((each) => each.hooks.includes(MARK))) === count, what);
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
