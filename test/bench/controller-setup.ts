import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ensureKeys, type OrgKeys } from '../../controller/identity/keys.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { makeDataDir } from '../../runtime/data-dir.js';
import { type Api, createApi } from './api.js';
import { type Started, startMuster } from './processes.js';
import type { BrokerAccess } from './raw.js';

const Port = z.object({ port: z.int() });
const ListedNode = z.object({ state: z.string(), builtin_actions: z.array(z.string()) });
type ListedNode = z.infer<typeof ListedNode>;
const NodePage = z.object({ items: z.array(ListedNode), next_cursor: z.string().nullable() });
const ONLINE_MS = 120_000;
const CliFile = z.object({ url: z.string(), token: z.string() });

/** A broker and, once asked for, a controller, as `muster broker` and `muster controller` run them. */
export type Installation = Readonly<{
  broker: Started;
  access: BrokerAccess;
  keys: OrgKeys;
  startController: (settings?: readonly string[]) => Promise<{ process: Started; url: string; api: Api }>;
  stop: () => Promise<void>;
}>;

/** Starts the embedded broker as its own process, with the keys that the controller will have. */
export async function startInstallation(directory: string): Promise<Installation> {
  const dataDir = makeDataDir(join(directory, 'controller'));
  const keys = ensureKeys(dataDir, 'default', SYSTEM_CLOCK);
  const broker = await startMuster([
    'broker',
    '--port=0',
    '--metrics-port=0',
    `--root-file=${keys.rootFile}`,
    `--keys-file=${keys.listFile}`,
    '--max-connections-per-ip=20000',
    '--max-connections=20000',
    '--max-in-rate=100000',
  ]);
  const { port } = Port.parse(broker.ready);
  const url = `mqtt://127.0.0.1:${port}`;
  const started: Started[] = [broker];
  return {
    broker,
    keys,
    access: { url, scope: { prefix: 'muster/v1', org: 'default' }, signer: keys.signing, directory },
    async startController(settings = []) {
      const controller = await startMuster([
        ...['controller', '--port=0', `--data=${directory}`, `--broker-url=${url}`],
        ...settings,
      ]);
      started.unshift(controller);
      const { url: apiUrl, token } = CliFile.parse(JSON.parse(readFileSync(join(directory, 'cli.json'), 'utf8')));
      return { process: controller, url: apiUrl, api: createApi(apiUrl, token) };
    },
    async stop() {
      for (const each of started) await each.stop();
    },
  };
}

/** An enrollment token for this many nodes. */
export async function makeEnrollmentToken(api: Api, uses: number): Promise<string> {
  const { status, body } = await api.call('POST', '/api/v1/enrollment-tokens', { uses });
  if (status !== 201) throw new Error(`no enrollment token: ${status} ${JSON.stringify(body)}`);
  return z.object({ token: z.string() }).parse(body).token;
}

/** Waits until this many nodes are online and have said what they offer. */
export async function whenOnline(api: Api, count: number): Promise<void> {
  const isThere = ({ state, builtin_actions }: ListedNode): boolean => state === 'online' && builtin_actions.length > 0;
  await whenNodes(api, (nodes) => nodes.filter(isThere).length >= count, `${count} nodes online`);
}

/** Waits until no node is online. */
export async function whenOffline(api: Api): Promise<void> {
  await whenNodes(api, (nodes) => nodes.every(({ state }) => state !== 'online'), 'no node online');
}

async function whenNodes(api: Api, isSo: (nodes: readonly ListedNode[]) => boolean, what: string): Promise<void> {
  for (const deadlineMs = performance.now() + ONLINE_MS; performance.now() < deadlineMs; ) {
    const nodes: ListedNode[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: z.infer<typeof NodePage> = NodePage.parse(
        (await api.call('GET', `/api/v1/nodes?limit=200${cursor === '' ? '' : `&cursor=${cursor}`}`)).body,
      );
      nodes.push(...page.items);
      cursor = page.next_cursor;
    }
    if (isSo(nodes)) return;
    await new Promise((later) => setTimeout(later, 200));
  }
  throw new Error(`${what}: not within ${ONLINE_MS / 1000} s`);
}
