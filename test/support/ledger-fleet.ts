import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AgentConfig, MeshConfig } from '../../agent/config.js';
import { type RunningAgent, startAgent } from '../../agent/start.js';
import type { Client } from '../../cli/client.js';
import { EnrollmentTokenCreated, NodeView } from '../../controller/http/schemas.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { makeDataDir } from '../../runtime/data-dir.js';
import { createLogger } from '../../runtime/logger.js';
import type { TestScope } from './broker.js';
import { HARMLESS } from './harmless.js';
import { writeHook } from './hooks.js';
import { temporaryDirectory } from './temporary-directory.js';
import { until } from './until.js';

/** The hook that every node of the fleet offers. */
export const MARK = 'mark';

/** What a run of the hook wrote: `begin` as its first act, `end` as its last. */
export type Mark = Readonly<{ act: 'begin' | 'end'; executionId: string; node: string }>;

/** Real-code agents of this process that come and go, and the ledger in which their hook writes each of its runs. */
export type LedgerFleet = Readonly<{
  nodes: readonly string[];
  leave: (nodes: readonly string[]) => Promise<void>;
  /** All at once; resolves when each has been welcomed. */
  come: (nodes: readonly string[]) => Promise<void>;
  /** In the order of their writing. */
  ledger: () => readonly Mark[];
}>;

/** Enrolls so many nodes and waits until the controller knows what they offer. A run of the hook takes `seconds`. */
export async function startLedgerFleet(
  t: TestScope,
  { url, client, count, seconds = 0 }: { url: string; client: Client; count: number; seconds?: number },
): Promise<LedgerFleet> {
  const directory = temporaryDirectory(t);
  const ledger = join(directory, 'ledger');
  const hooks = makeDataDir(join(directory, 'hooks'));
  writeFileSync(ledger, '');
  const note = (act: string): string => `echo "${act} $MUSTER_EXECUTION_ID $MUSTER_NODE_ID" >> '${ledger}'\n`;
  writeHook(hooks, MARK, `#!/bin/sh\n${note('begin')}sleep ${seconds}\n${note('end')}`);
  const { token } = await client.call(EnrollmentTokenCreated, {
    method: 'POST',
    path: '/enrollment-tokens',
    body: { uses: count },
  });
  const nodes = Array.from({ length: count }, (_, index) => `node-${String(index + 1).padStart(3, '0')}`);
  const running = new Map<string, RunningAgent>();

  async function start(node: string): Promise<void> {
    const settings = {
      data_dir: join(directory, node),
      hooks_dir: hooks,
      process_isolation: 'process_group',
      ...HARMLESS,
    };
    const enroll = { enroll_url: url, enroll_token: token, node_id: node };
    const agent = await startAgent({
      config: {
        agent: AgentConfig.parse({ ...settings, ...enroll, metrics_port: -1, drain_timeout: '1ms' }),
        mesh: MeshConfig.parse({}),
      },
      ...{ log: createLogger('agent', { level: 'silent' }), clock: SYSTEM_CLOCK },
    });
    running.set(node, agent);
    await agent.whenWelcomed;
  }

  const fleet: LedgerFleet = {
    nodes,
    async leave(leaving) {
      await Promise.all(
        leaving.map(async (node) => {
          const agent = running.get(node);
          running.delete(node);
          await agent?.stop(AbortSignal.abort());
        }),
      );
    },
    async come(coming) {
      await Promise.all(coming.map(start));
    },
    ledger: () => readFileSync(ledger, 'utf8').split('\n').filter(Boolean).map(toMark),
  };
  t.after(() => fleet.leave([...running.keys()]));
  await fleet.come(nodes);
  const offering = async (): Promise<number> =>
    (await client.list(NodeView, { path: '/nodes' })).filter((each) => each.hooks.includes(MARK)).length;
  await until(async () => (await offering()) === count, { what: 'what the fleet offers', deadlineMs: 60_000 });
  return fleet;
}

function toMark(line: string): Mark {
  const [act, executionId = '', node = ''] = line.split(' ');
  return { act: act === 'begin' ? 'begin' : 'end', executionId, node };
}
