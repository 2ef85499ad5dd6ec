import { type Client, createClient } from '../../../cli/client.js';
import { InvocationAnswer } from '../../../controller/http/schemas.js';
import type { Queries } from '../../../controller/store/database.js';
import { openStore } from '../../../controller/store/store.js';
import { type Verdict, verdictOf } from '../judge/checker.js';
import { judgeRecords } from '../judge/judge-records.js';
import { judgeReturn, type Order } from '../judge/judge-return.js';
import { readRecords } from '../judge/records.js';
import { createCoreParts, startCoreParts } from '../rig/core-parts.js';
import { settles } from '../rig/settles.js';
import { storeOf } from '../rig/store-of.js';
import type { Scenario, ScenarioContext } from '../scenario.js';
import { withScope } from '../scope.js';
import { type Fleet, startFleet } from './fleet.js';
import { MARK } from './fleet-hook.js';
import { lacksStore, onEachStore, startStoreServer, storeSettings } from './stores.js';

const SIZES = {
  short: { count: 48, processes: 2, enrollMs: 0, returnMs: 1_000 },
  full: { count: 1_000, processes: 8, enrollMs: 20_000, returnMs: 10_000 },
};
const ALWAYS_OPEN = '1h';
/** Many agents of one process hear late that a program has ended. */
const TIMEOUT = '5m';
const SOON_OVER = '2s';
/** By so much longer may it take until all is over: a machine that plays so many nodes starts a program for each. */
const NODE_MS = 200;
/** The processes of the fleet need so long to come up. */
const COMING_MS = 3_000;

/** An order that was taken while most were away. */
type Asked = Readonly<{ id: string }> & Omit<Order, 'outcomes'>;

/** A fleet is away, is asked for a lot, some of it only for a while, and comes back all at once. */
export const fleetReturns: readonly Scenario[] = onEachStore((kind) => ({
  name: `fleet-returns-${kind}`,
  what: 'a fleet that is killed, and comes back at once to what it was asked for meanwhile',
  lacks: () => lacksStore(kind),
  run: (context) =>
    withScope(async (scope) => {
      const { directory, program, note, quietMs } = context;
      const { count, processes, enrollMs, returnMs } = SIZES[context.size];
      const settings = storeSettings(await startStoreServer(scope, kind));
      const options = { controller: { settings }, broker: { settings: { max_connections_per_ip: 2 * count } } };
      const core = await createCoreParts(options, { directory, logs: directory, program });
      const [controller] = core.controllers;
      for (const part of [core.broker, controller]) scope.after(() => part.kill('SIGKILL'));
      const connection = await startCoreParts(core);
      const client = createClient(connection);
      const { url } = connection;
      const fleet = await startFleet(scope, { directory, url, client, count, processes, spreadMs: enrollMs });

      await fleet.leave();
      const asked = await askAll(client, fleet, returnMs);
      const startMs = performance.now();
      const seconds = (): string => ((performance.now() - startMs) / 1000).toFixed(1);
      await fleet.come(returnMs);
      note(`${count} nodes were back after ${seconds()} s`);
      await settles(() => areOver(client, asked), quietMs + count * NODE_MS);
      note(`all was over after ${seconds()} s`);

      const stops = [await fleet.stop()];
      for (const part of [controller, core.broker]) stops.push((await part.kill('SIGTERM')).code === 0);
      const places = { store: storeOf(options, core.controllerDir), controllerDir: core.controllerDir };
      return { points: count, verdict: await judgeFleet({ asked, fleet, stops, ...places }, context) };
    }),
}));

/**
 * One order to all; one to a third whose time is over before they are back; one to another third whose time ends in the
 * middle of the return. Each is a broadcast, since a few nodes hear it at once.
 */
async function askAll(client: Client, fleet: Fleet, returnMs: number): Promise<Asked[]> {
  const open = await ask(client, {
    ...{ label: 'the order to all', nodes: fleet.nodes, window: 'open' },
    body: { target: { fleet: true }, expires_in: ALWAYS_OPEN },
  });
  const over = await ask(client, {
    ...{ label: 'the order that had expired', nodes: fleet.membersOf('first-third'), window: 'over' },
    body: { target: { group: 'first-third' }, expires_in: SOON_OVER },
  });
  await settles(() => areOver(client, [over]), 20_000);
  const closing = await ask(client, {
    ...{ label: 'the order that expired meanwhile', nodes: fleet.membersOf('second-third'), window: 'closing' },
    body: { target: { group: 'second-third' }, expires_in: `${COMING_MS + returnMs / 2}ms` },
  });
  return [open, over, closing];
}

async function ask(
  client: Client,
  { body, ...order }: Omit<Asked, 'id' | 'expiresMs'> & Readonly<{ body: Readonly<Record<string, unknown>> }>,
): Promise<Asked> {
  const call = {
    method: 'POST',
    path: '/invocations',
    body: { action: MARK, timeout: TIMEOUT, confirm: true, ...body },
  } as const;
  const { invocation } = await client.call(InvocationAnswer, call);
  return { ...order, id: invocation.id, expiresMs: Date.parse(invocation.expires_at) };
}

async function areOver(client: Client, asked: readonly Asked[]): Promise<boolean> {
  const answers = await Promise.all(
    asked.map(({ id }) => client.call(InvocationAnswer, { path: `/invocations/${id}` })),
  );
  return answers.every(({ invocation }) => invocation.completed_at !== null);
}

async function judgeFleet(
  found: Readonly<{
    asked: readonly Asked[];
    fleet: Fleet;
    stops: readonly boolean[];
    store: string;
    controllerDir: string;
  }>,
  { note }: ScenarioContext,
): Promise<Verdict> {
  const { asked, fleet, stops, store, controllerDir } = found;
  const orders = await readOrders(store, asked);
  const ids = new Set(asked.map(({ id }) => id));
  const faults = [
    ...judgeReturn(orders, fleet.marks()),
    ...judgeRecords(await readRecords(store, controllerDir), { invocations: ids, accepted: ids }),
    ...(stops.every(Boolean) ? [] : [{ kind: 'other' as const, sentence: 'a stop did not end with 0' }]),
  ];
  for (const { label, nodes, outcomes } of orders) {
    const done = [...outcomes.values()].filter(({ status }) => status === 'success').length;
    note(`${label}: done on ${done} of ${nodes.length}`);
  }
  return verdictOf(
    asked.reduce((sum, { nodes }) => sum + nodes.length, 0),
    faults,
  );
}

async function readOrders(place: string, asked: readonly Asked[]): Promise<(Asked & Pick<Order, 'outcomes'>)[]> {
  const store = await openStore(place);
  try {
    return await Promise.all(asked.map(async (each) => ({ ...each, outcomes: await readOutcomes(store.read, each) })));
  } finally {
    await store.close();
  }
}

async function readOutcomes(read: Queries, { id }: Asked): Promise<Order['outcomes']> {
  const rows = await read
    .selectFrom('executions as e')
    .leftJoin('results as r', (join) =>
      join.onRef('r.execution_id', '=', 'e.execution_id').onRef('r.node', '=', 'e.node'),
    )
    .select(['e.node', 'e.execution_id', 'e.request_sha256', 'e.status', 'e.reason', 'e.error_code'])
    .select('r.error_code as result_error')
    .where('e.invocation_id', '=', id)
    .execute();
  return new Map(
    rows.map((row) => [
      row.node,
      {
        ...{ executionId: row.execution_id, requestSha256: row.request_sha256, status: row.status },
        reason: row.reason ?? row.error_code ?? row.result_error,
      },
    ]),
  );
}
