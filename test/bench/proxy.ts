import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type Api, createApi } from './api.js';
import { startInstallation } from './controller-setup.js';
import { startScript } from './processes.js';
import { percentile } from './statistics.js';
import type { Line } from './table.js';

/** A sandbox may ask 60 times in any minute, so many of them ask in turns. */
const SANDBOXES = 40;
const ASKS_EACH = 50;
/** Asks that are not counted, while both ends get warm. */
const WARM_UP = 400;
const ISSUE = '4711';
const SERVICE_TOKEN = 'the-token-of-the-service';
const AIM_MS = 5;

const Ready = z.object({ port: z.int() });
const Sandbox = z.object({ id: z.string(), token: z.string() });
const Answer = z.object({
  invocation: z.object({ status: z.literal('completed'), result: z.object({ id: z.string() }) }),
});

/** One of many sandboxes. */
type Asker = Readonly<{ path: string; api: Api }>;

/**
 * What Muster adds to an action that reads: from `POST …/invoke` with the token of a sandbox to the answer, with the
 * stored row, its audit and events, beside the same request made directly, in turns.
 */
export async function measureProxy(parent: string): Promise<Line[]> {
  const installation = await startInstallation(mkdtempSync(join(parent, 'proxy-')));
  const service = await startScript('peers/service.ts');
  try {
    const serviceUrl = `http://127.0.0.1:${Ready.parse(service.ready).port}`;
    const { url, api } = await installation.startController();
    await connect(api, serviceUrl);
    const direct = createApi(serviceUrl, SERVICE_TOKEN);
    const samples = { direct: [] as number[], through: [] as number[] };
    for (const [index, asker] of [...(await makeAskers(api, url))].entries()) {
      for (let ask = 0; ask < ASKS_EACH; ask += 1) {
        const isCounted = index * ASKS_EACH + ask >= WARM_UP;
        const directMs = await timed(() => askDirectly(direct));
        const throughMs = await timed(() => askThrough(asker));
        if (isCounted) samples.direct.push(directMs);
        if (isCounted) samples.through.push(throughMs);
      }
      asker.api.close();
    }
    direct.close();
    api.close();
    return linesOf(samples);
  } finally {
    await service.stop();
    await installation.stop();
  }
}

async function connect(api: Api, base_url: string): Promise<void> {
  const credential = { provider: 'stored', token: SERVICE_TOKEN };
  const { status, body } = await api.call('POST', '/api/v1/integrations', { adapter: 'sentry', base_url, credential });
  if (status !== 201) throw new Error(`no integration: ${status} ${JSON.stringify(body)}`);
}

async function makeAskers(api: Api, url: string): Promise<Asker[]> {
  const askers: Asker[] = [];
  for (let index = 0; index < SANDBOXES; index += 1) {
    const connections = [{ integration: 'sentry', actions: ['*'] }];
    const { status, body } = await api.call('POST', '/api/v1/sandboxes', { name: `bench-${index}`, connections });
    if (status !== 201) throw new Error(`no sandbox: ${status} ${JSON.stringify(body)}`);
    const { id, token } = Sandbox.parse(body);
    askers.push({ path: `/${id}/actions/invoke`, api: createApi(url, token) });
  }
  return askers;
}

async function timed(call: () => Promise<void>): Promise<number> {
  const startMs = performance.now();
  await call();
  return performance.now() - startMs;
}

async function askDirectly(api: Api): Promise<void> {
  const { status } = await api.call('GET', `/issues/${ISSUE}/`);
  if (status !== 200) throw new Error(`the service answered ${status}`);
}

async function askThrough({ api, path }: Asker): Promise<void> {
  const ask = { integration: 'sentry', action: 'get_issue', params: { issue: ISSUE } };
  const { status, body } = await api.call('POST', path, ask);
  if (status !== 200 || !Answer.safeParse(body).success) throw new Error(`${status} ${JSON.stringify(body)}`);
}

function linesOf({ direct, through }: Readonly<{ direct: readonly number[]; through: readonly number[] }>): Line[] {
  const over = percentile(through, 0.5) - percentile(direct, 0.5);
  const overMost = percentile(through, 0.99) - percentile(direct, 0.99);
  return [
    { what: 'read of a service, directly', figures: inWords(direct) },
    {
      what: 'the same by a sandbox through Muster',
      figures: `${inWords(through)}; ${over.toFixed(2)} and ${overMost.toFixed(2)} ms more`,
      aim: `p50 ${over.toFixed(2)} ms more, aim ≤ ${AIM_MS}`,
      met: over <= AIM_MS,
    },
  ];
}

function inWords(samples: readonly number[]): string {
  const of = (share: number): string => percentile(samples, share).toFixed(2);
  return `p50 ${of(0.5)} ms, p99 ${of(0.99)} ms of ${samples.length.toLocaleString('en-US')}`;
}
