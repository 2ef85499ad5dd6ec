import assert from 'node:assert/strict';
import { SHIPPED_POLICY } from '../../controller/policy/document.js';
import type { Services } from '../../controller/services.js';
import type { Queries } from '../../controller/store/database.js';
import { openStore } from '../../controller/store/store.js';
import type { VerifyReport } from '../../controller/verify/findings.js';
import { verifyDirectory } from '../../controller/verify/offline.js';
import { type Clock, SYSTEM_CLOCK } from '../../runtime/clock.js';
import { invoke } from './asks.js';
import type { TestScope } from './broker.js';
import { OWNER, startTestCore, type TestCore } from './core.js';
import { startScriptedAgent } from './scripted-agent.js';

/** `id` is of the first invocation, `last` the number of the last audit row. */
export type Site = Readonly<{ muster: TestCore; id: string; last: number }>;

/** A controller with people, nodes and a policy, two results, one of a failure, and an ask that was cancelled. */
export async function startSite(t: TestScope, clock: Clock = SYSTEM_CLOCK): Promise<Site> {
  const muster = await startTestCore(t, { clock });
  const { services } = muster.core;
  await admitPeople(services);
  const leaving = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'gone-1' });
  await leaving.goOffline();
  await services.nodes.remove(OWNER, 'gone-1');
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  const { invocations } = services;
  const ids: string[] = [];
  for (const status of ['success', 'failed'] as const) {
    const id = await invoke(invocations, { nodes: ['pump-1'] });
    const offered = await agent.nextOffer();
    await agent.say('output', 'muster-output', {
      ...{ v: 1, execution_id: offered.request.execution_id, node: 'pump-1', org: 'default' },
      ...{ seq: 0, stream: 'stdout', offset: 0, data: 'done\n', encoding: 'utf-8', last: true },
    });
    await agent.result(offered, { status, exit_code: status === 'success' ? 0 : 1, stdout: 'd', chunks: 1 });
    assert.ok(await invocations.whenDone('default', id, { ms: 10_000 }));
    ids.push(id);
  }
  await agent.goOffline();
  const waiting = await invoke(invocations, { nodes: ['pump-1'] });
  await invocations.cancel(OWNER, waiting, {});
  const { seq } = await muster.store.read
    .selectFrom('audit')
    .select('seq')
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow();
  return { muster, id: ids[0] ?? '', last: seq };
}

async function admitPeople({ people, tokens, polling, policy }: Services): Promise<void> {
  await people.createUser(OWNER, { id: 'ann', role: 'operator', password: 'correct horse battery' });
  await people.createUser(OWNER, { id: 'ben', role: 'viewer' });
  await people.changeUser(OWNER, 'ben', { disabled: true });
  await tokens.create(OWNER, { name: 'ci', user: 'ann' });
  await polling.createToken(OWNER, { node: 'kiosk-7', groups: [], labels: {} });
  await policy.replace(
    OWNER,
    { ...SHIPPED_POLICY, limits: { ...SHIPPED_POLICY.limits, pending_per_principal: 9 } },
    () => true,
  );
}

/** Does the harm without the controller's key; gives what puts everything back. */
export async function harmed(
  site: Site,
  harm: (tx: Queries, at: Site) => Promise<unknown>,
): Promise<() => Promise<void>> {
  const store = await openStore(site.muster.directory);
  const before = await copyOf(store.read);
  await store.write((tx) => harm(tx, site));
  await store.close();
  return async () => {
    const again = await openStore(site.muster.directory);
    await again.write(async (tx) => {
      for (const { table } of [...before].reverse()) await tx.deleteFrom(table).execute();
      for (const { table, rows } of before) for (const row of rows) await tx.insertInto(table).values(row).execute();
    });
    await again.close();
  };
}

const TABLES = [
  'users',
  'api_tokens',
  'enrollment_tokens',
  'policies',
  'meta',
  'nodes',
  'node_groups',
  'hook_pins',
  'node_keys',
  'node_tokens',
  'invocations',
  'requests',
  'executions',
  'results',
  'outputs',
  'audit',
] as const;

/** Each row of each table that verify looks at. */
export async function copyOf(read: Queries) {
  const copies = [];
  for (const table of TABLES) copies.push({ table, rows: await read.selectFrom(table).selectAll().execute() });
  return copies;
}

/** What verify finds in the store of a controller that has stopped. */
export function verify({ muster }: Site, kept?: { seq: number; hash: string }): Promise<VerifyReport> {
  return verifyDirectory(muster.directory, { org: 'default', clock: SYSTEM_CLOCK, kept });
}
