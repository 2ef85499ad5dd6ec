import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { sql } from 'kysely';
import { z } from 'zod';
import { openConnection } from '../../controller/store/sqlite.js';
import type { TestScope } from '../support/broker.js';
import { until } from '../support/until.js';
import { interrupt } from '../support/up.js';
import { reasonFor } from './allowed.js';
import { type Canaries, type Canary, makeCanaries } from './canaries.js';
import { isFound } from './search.js';
import { type Site, startSite } from './site.js';

/** A secret that stands somewhere; `reason` says why it may. */
export type Hit = Readonly<{ canary: string; place: string; reason: string | undefined }>;

/** What was searched, and what was found there. */
export type Proof = Readonly<{
  canaries: readonly string[];
  places: readonly string[];
  octets: number;
  hits: readonly Hit[];
}>;

const ENDED = new Set(['completed', 'failed', 'denied', 'expired', 'cancelled']);
const DONE_MS = 120_000;
const API = '/api/v1';

const Key = z.object({ d: z.string() });
const Ids = z.object({ invocation: z.object({ id: z.string() }) });
const Shown = z.object({ invocation: z.object({ status: z.string() }) });

/** Lets every secret pass wherever it can, and searches for it in all that is left behind. */
export async function proveSecrets(t: TestScope, program?: string): Promise<Proof> {
  const canaries = makeCanaries();
  const site = await startSite(t, canaries, program);
  const made = [...(await usePeople(site, canaries)), ...listCanaries(site, canaries)];
  await useIntegrations(site, canaries);
  await useNodes(site, canaries);
  await readAll(site);
  await interrupt(site.up);
  const { seen, up } = site;
  for (const file of filesIn(up.dataDir)) seen.set(`file ${relative(up.dataDir, file)}`, [readFileSync(file)]);
  await readTables(site);
  return judge([...made, ...keysOf(site)], seen);
}

function listCanaries({ up }: Site, { githubKey, ...values }: Canaries): Canary[] {
  const line = githubKey.split('\n')[5] ?? '';
  return [...Object.entries({ ...values, githubKey: line, ownerToken: up.token })].map(([name, value]) => ({
    name,
    value,
  }));
}

async function usePeople({ call }: Site, { userPassword: password }: Canaries): Promise<Canary[]> {
  await call('POST', `${API}/users`, { id: 'eve', role: 'viewer', password });
  await call('POST', `${API}/login`, { user: 'eve', password: `${password}-wrong` });
  const { token: apiToken } = await call('POST', `${API}/login`, { user: 'eve', password });
  const { token: enrollmentToken } = await call('POST', `${API}/enrollment-tokens`, {});
  const made = { apiToken, enrollmentToken };
  return Object.entries(made).map(([name, value]) => ({ name, value: z.string().min(20).parse(value) }));
}

async function useIntegrations({ call, standInUrl: base_url }: Site, canaries: Canaries): Promise<void> {
  const { storedToken: token, typed, nangoSecret: secret_key, githubKey: private_key } = canaries;
  const nango = { secret_key, connection_id: 'one', provider_config_key: 'two', base_url };
  const credentials = [
    { provider: 'stored', token },
    { provider: 'nango', ...nango },
    { provider: 'github_app', private_key, app_id: '1', installation_id: '2', base_url },
  ];
  for (const credential of credentials) {
    const name = credential.provider.replace('_', '-');
    const added = await call('POST', `${API}/integrations`, { name, adapter: 'sentry', base_url, credential });
    z.object({ integration: z.object({ name: z.literal(name) }) }).parse(added);
    await call('POST', `${API}/integrations/${name}/test`);
    for (const issue of ['4711', 'refused', typed]) {
      const target = { integration: name };
      await invoke({ call }, { action: 'get_issue', target, parameters: { issue }, reason: `for ${token}` });
    }
  }
}

async function useNodes({ call, up }: Site, { typed, onController }: Canaries): Promise<void> {
  const target = { nodes: [up.node] };
  await until(async () => JSON.stringify(await call('GET', `${API}/nodes/${up.node}`)).includes('"flood"'), {
    what: 'the hooks are announced',
    deadlineMs: DONE_MS,
  });
  const reason = `since ${onController}`;
  for (const action of ['leak', 'flood']) {
    await invoke({ call }, { action, target, reason, stream: true, confirm: true });
    await invoke({ call }, { action, target, parameters: { secret: typed }, confirm: true });
  }
  await up.muster('run', 'leak', '--all', '--yes');
}

/** Asks, and waits for the end. */
async function invoke({ call }: Pick<Site, 'call'>, ask: object): Promise<void> {
  const asked = Ids.safeParse(await call('POST', `${API}/invocations`, ask));
  if (!asked.success) return; // refused: the answer was seen
  const path = `${API}/invocations/${asked.data.invocation.id}`;
  await until(async () => ENDED.has(Shown.parse(await call('GET', path)).invocation.status), {
    what: `the end of ${JSON.stringify(ask).slice(0, 60)}`,
    deadlineMs: DONE_MS,
  });
}

/** Everything that the API shows. */
async function readAll({ call, up }: Site): Promise<void> {
  const lists = [
    'invocations',
    'audit?limit=500',
    'nodes',
    'integrations',
    'users',
    'tokens',
    'enrollment-tokens',
    'hooks',
  ];
  for (const list of [...lists, 'policy', 'approvals', 'me', 'audit/verify']) await call('GET', `${API}/${list}`);
  const { items } = z
    .object({ items: z.array(z.object({ id: z.string() })) })
    .parse(await call('GET', `${API}/invocations?limit=100`));
  for (const { id } of items) {
    await call('GET', `${API}/invocations/${id}/executions`);
    for (const stream of ['stdout', 'stderr']) {
      await call('GET', `${API}/invocations/${id}/executions/${up.node}/output?stream=${stream}`);
    }
  }
  await call('GET', '/metrics');
}

function* filesIn(directory: string): Generator<string> {
  for (const entry of readdirSync(directory, { recursive: true })) {
    const file = join(directory, String(entry));
    if (statSync(file, { throwIfNoEntry: false })?.isFile() === true) yield file;
  }
}

async function readTables({ up: { dataDir }, seen }: Site): Promise<void> {
  const { queries, close } = openConnection(join(dataDir, 'controller', 'muster.db'));
  try {
    const tables = await queries.introspection.getTables();
    for (const { name } of tables) {
      const { rows } = await sql`select * from ${sql.table(name)}`.execute(queries);
      seen.set(`table ${name}`, [Buffer.from(rows.flatMap((row) => Object.values(Object(row))).join('\n'))]);
    }
  } finally {
    await close();
  }
}

/** The private keys, as they lie in their files after the end. */
function keysOf({ up: { dataDir }, seen }: Site): Canary[] {
  return [...filesIn(dataDir)].flatMap((file) => {
    const place = relative(dataDir, file);
    if (place === 'controller/integrations.key')
      return [{ name: 'vaultKey', value: readFileSync(file, 'utf8').trim() }];
    if (!/key/.test(place) || statSync(file).size > 10_000) return [];
    const text = seen.get(`file ${place}`)?.[0]?.toString() ?? '';
    const { data } = Key.safeParse(text.startsWith('{') ? JSON.parse(text) : {});
    return data === undefined
      ? []
      : [{ name: place.startsWith('agent/') ? 'agentKey' : 'controllerKey', value: data.d }];
  });
}

function judge(canaries: readonly Canary[], seen: Site['seen']): Proof {
  const hits = canaries.flatMap(({ name, value }) =>
    [...seen].flatMap(([place, parts]) =>
      parts.some((part) => isFound(value, part)) ? [{ canary: name, place, reason: reasonFor(name, place) }] : [],
    ),
  );
  const octets = [...seen.values()].flat().reduce((sum, { length }) => sum + length, 0);
  return { canaries: canaries.map(({ name }) => name), places: [...seen.keys()], octets, hits };
}
