import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { AgentConfig, MeshConfig } from '../../agent/config.js';
import { startAgent } from '../../agent/start.js';
import { BrokerConfig } from '../../broker/config.js';
import { startBroker } from '../../broker/start.js';
import { type Client, createClient } from '../../cli/client.js';
import {
  ActionView,
  EnrollmentTokenCreated,
  InvocationAnswer,
  type InvocationView,
  pageOf,
} from '../../controller/http/schemas.js';
import { ensureKeys } from '../../controller/identity/keys.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { makeDataDir } from '../../runtime/data-dir.js';
import { createLogger } from '../../runtime/logger.js';
import type { TestScope } from './broker.js';
import { startChild, type TestChild } from './child.js';
import { freePort } from './free-port.js';
import { writeHook } from './hooks.js';
import { type Link, startLink } from './link.js';
import { createDatabase, startPostgres, type TestPostgres } from './postgres.js';
import { temporaryDirectory } from './temporary-directory.js';
import { until } from './until.js';

/** One of several controllers, as a process of its own. */
export type TestController = Readonly<{ url: string; token: string; client: Client; child: TestChild['child'] }>;

/** Two controllers on one database, a broker, and an agent with the hook `count.sh` that adds a line for each start. */
export type Several = Readonly<{
  postgres: TestPostgres;
  /** Between the first controller and the database. */
  link: Link;
  /** Where each controller keeps what brokers may read. */
  publicDirs: readonly [string, string];
  /** The owner's. */
  token: string;
  controllers: readonly [TestController, TestController];
  /** Starts one more on the data directory of the first (0) or second (1), whose process has ended. */
  restart: (which: 0 | 1) => Promise<TestController>;
  /** The execution ids that the hook was started with. */
  started: () => string[];
}>;

const Ready = z.object({ url: z.string(), ownerToken: z.string().optional() });

/** Undefined where PostgreSQL is not installed. */
export async function startSeveral(t: TestScope): Promise<Several | undefined> {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return undefined;
  const direct = await createDatabase(t, postgres.url);
  const link = await startLink(t, postgres.port);
  const storeUrls = [direct.replace(`:${postgres.port}/`, `:${link.port}/`), direct] as const;
  const directory = temporaryDirectory(t);
  const dataDirs = [makeDataDir(join(directory, 'one')), join(directory, 'two')] as const;
  const keys = ensureKeys(dataDirs[0], 'default', SYSTEM_CLOCK);
  cpSync(dataDirs[0], dataDirs[1], { recursive: true });
  const broker = await startBroker({
    config: BrokerConfig.parse({ port: 0, metrics_port: 0, root_file: keys.rootFile, keys_file: keys.listFile }),
    ...{ log: silent('broker'), clock: SYSTEM_CLOCK },
  });
  t.after(() => broker.stop(AbortSignal.abort()));
  const ports = [await freePort(), await freePort()];

  let token = '';
  const start = async (which: 0 | 1): Promise<TestController> => {
    const settings = { store_url: storeUrls[which], broker_url: `mqtt://127.0.0.1:${broker.port}`, log_level: 'error' };
    const config = { ...settings, data_dir: dataDirs[which], port: ports[which] };
    const child = startChild(t, './controller-child.ts', [JSON.stringify(config)]);
    const { url, ownerToken = token } = Ready.parse(await child.message());
    token = ownerToken;
    return { url, token, client: createClient({ url, token }), child: child.child };
  };
  const first = await start(0);
  const second = await start(1);
  const ledger = await startCountingAgent(t, { directory, first, broker_url: `mqtt://127.0.0.1:${broker.port}` });
  return {
    ...{ postgres, link, token, controllers: [first, second], restart: start, started: () => linesOf(ledger) },
    publicDirs: [join(dataDirs[0], 'public'), join(dataDirs[1], 'public')],
  };
}

/** Asks for one run of the hook until it is taken, of one controller after the other, and gives the invocation. */
export async function submit(
  clients: readonly Client[],
  key: string,
  deadlineMs = 60_000,
): Promise<z.infer<typeof InvocationView>> {
  let turn = 0;
  const call = {
    method: 'POST',
    path: '/invocations',
    body: { action: 'count.sh', target: { nodes: ['node-1'] }, confirm: true },
    headers: { 'idempotency-key': key },
  } as const;
  return until(
    async () => {
      const client = clients[turn++ % clients.length];
      return client?.call(InvocationAnswer, call).then(
        ({ invocation }) => invocation,
        () => undefined,
      );
    },
    { what: `${key} is taken`, deadlineMs },
  );
}

/** What a controller says of itself on `/readyz`; empty when it does not answer. */
export async function roleOf({ url }: TestController): Promise<string> {
  try {
    return (await (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) })).text()).trim();
  } catch {
    return '';
  }
}

async function startCountingAgent(
  t: TestScope,
  { directory, first, broker_url }: { directory: string; first: TestController; broker_url: string },
): Promise<string> {
  const ledger = join(directory, 'ledger');
  const hooks_dir = makeDataDir(join(directory, 'hooks'));
  writeHook(hooks_dir, 'count.sh', `#!/bin/sh\necho "$MUSTER_EXECUTION_ID" >> ${ledger}\n`);
  const { token } = await first.client.call(EnrollmentTokenCreated, {
    ...{ method: 'POST', path: '/enrollment-tokens', body: { uses: 1 } },
  });
  const agent = await startAgent({
    config: {
      agent: AgentConfig.parse({
        ...{ enroll_url: first.url, enroll_token: token, node_id: 'node-1', broker_url, hooks_dir },
        ...{ data_dir: join(directory, 'node-1'), metrics_port: 0 },
      }),
      mesh: MeshConfig.parse({}),
    },
    ...{ log: silent('agent'), clock: SYSTEM_CLOCK },
  });
  t.after(() => agent.stop(AbortSignal.abort()));
  await agent.whenWelcomed;
  const offered = () => first.client.call(pageOf(ActionView), { path: '/actions' });
  await until(async () => (await offered()).items.some(({ name }) => name === 'count.sh'), {
    what: 'the hook is offered',
  });
  return ledger;
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  } catch {
    return [];
  }
}

function silent(part: string) {
  return createLogger(part, { level: 'silent' });
}
