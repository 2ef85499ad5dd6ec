import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Api } from './api.js';
import { makeEnrollmentToken, startInstallation, whenOffline, whenOnline } from './controller-setup.js';
import { syncsPerSecond } from './disk.js';
import { type BullMq, lacksPeers, startBullMq } from './peers/bullmq.js';
import { startMuster } from './processes.js';
import { measureRoundTrips, percentile, type RoundTrips } from './statistics.js';
import type { Line } from './table.js';

const NODE = 'bench-node';
const ASK = { action: 'gather_info', target: { nodes: [NODE] }, reason: 'how fast are you?' };
const ROUNDS = 3;
const SECONDS = 3;
const MANY = 64;
const RECORD_BYTES = 300;
/** Asks wait for the node by the ten thousand. */
const MOST_OPEN = 100_000;
const DISK_AIM = 0.5;
const Answer = z.object({ invocation: z.object({ status: z.string() }) });

/** Something that is called by one, and by many at once, in each round. */
type Contender = Readonly<{ what: string; call: () => Promise<void> }>;
type Rates = Readonly<{ one: RoundTrips[]; many: RoundTrips[] }>;

/**
 * Invocations that are accepted: stored with their audit row and answered. In turns with the disk, and with BullMQ on a
 * Redis that syncs each write. The node is away, so that nothing but the accepting is done.
 */
export async function measureAccept(parent: string): Promise<Line[]> {
  const directory = mkdtempSync(join(parent, 'accept-'));
  const lacks = lacksPeers();
  const installation = await startInstallation(directory);
  const bull = lacks === undefined ? await startBullMq(directory, { data: ASK, concurrency: MANY }) : undefined;
  try {
    const { url, api } = await installation.startController([`--max-open-per-node=${MOST_OPEN}`]);
    const stored = await measureStored({ url, api, directory });
    await whenOffline(api);
    const accepted: Contender = { what: 'accepted', call: () => ask(api, 'wait=0') };
    const others: readonly Contender[] = bull === undefined ? [] : contendersOf(bull);
    const disk: number[] = [];
    const rates = await takeTurns([accepted, ...others], () => void disk.push(syncsPerSecond(directory, RECORD_BYTES)));
    api.close();
    return [
      { what: `disk, appends of ${RECORD_BYTES} bytes with fdatasync`, figures: `median ${perSecond(disk)}` },
      ...linesOf(rates, { disk: percentile(disk, 0.5), lacks }),
      ...plainLines('POST to stored result', stored),
    ];
  } finally {
    await bull?.stop();
    await installation.stop();
  }
}

function contendersOf({ add, complete }: BullMq): Contender[] {
  return [
    { what: 'BullMQ, add', call: add },
    { what: 'BullMQ, add to completed', call: complete },
  ];
}

/** With an agent that runs what is asked; it has ended afterwards. */
async function measureStored({
  url,
  api,
  directory,
}: {
  url: string;
  api: Api;
  directory: string;
}): Promise<Rates | undefined> {
  const args = [`--enroll=${url}`, `--node-id=${NODE}`, `--data=${join(directory, 'agent')}`];
  const agent = await startMuster(['agent', ...args, '--metrics-port=0', '--max-concurrent=200'], {
    MUSTER_AGENT_ENROLL_TOKEN: await makeEnrollmentToken(api, 1),
  });
  await whenOnline(api, 1);
  const rates = await takeTurns([{ what: 'stored', call: () => ask(api, 'wait=30') }], () => undefined);
  await agent.stop();
  return rates.get('stored');
}

async function takeTurns(contenders: readonly Contender[], between: () => void): Promise<Map<string, Rates>> {
  const rates = new Map<string, Rates>(contenders.map(({ what }) => [what, { one: [], many: [] }]));
  for (let round = 0; round < ROUNDS; round += 1) {
    between();
    for (const { what, call } of contenders) {
      rates.get(what)?.one.push(await measureRoundTrips(call, { inFlight: 1, seconds: SECONDS }));
    }
    between();
    for (const { what, call } of contenders) {
      rates.get(what)?.many.push(await measureRoundTrips(call, { inFlight: MANY, seconds: SECONDS }));
    }
  }
  return rates;
}

async function ask(api: Api, prefer: string): Promise<void> {
  const { status, body } = await api.call('POST', '/api/v1/invocations', ASK, { prefer });
  const { invocation } = Answer.parse(body);
  const isRight = prefer === 'wait=0' ? status === 202 : invocation.status === 'completed';
  if (!isRight) throw new Error(`${status} ${JSON.stringify(body)}`);
}

function linesOf(
  rates: ReadonlyMap<string, Rates>,
  { disk, lacks }: { disk: number; lacks: string | undefined },
): Line[] {
  const accepted = rates.get('accepted');
  const completed = rates.get('BullMQ, add to completed');
  const ofDisk = medianOf(accepted?.one) / disk;
  const ofBull = medianOf(accepted?.many) / medianOf(completed?.many);
  return [
    {
      what: 'accepted invocations, 1 caller',
      figures: inWords(accepted?.one),
      aim: `${ofDisk.toFixed(2)} × disk, aim ≥ ${DISK_AIM}`,
      met: ofDisk >= DISK_AIM,
    },
    {
      what: `accepted invocations, ${MANY} callers`,
      figures: inWords(accepted?.many),
      ...(lacks === undefined
        ? { aim: `${ofBull.toFixed(2)} × BullMQ to completed, aim ≥ 1`, met: ofBull >= 1 }
        : { aim: `not compared: ${lacks}` }),
    },
    ...plainLines('BullMQ, add', rates.get('BullMQ, add')),
    ...plainLines('BullMQ, add to completed', completed),
  ];
}

function plainLines(what: string, rates: Rates | undefined): Line[] {
  if (rates === undefined) return [];
  return [
    { what: `${what}, 1 caller`, figures: inWords(rates.one) },
    { what: `${what}, ${MANY} callers`, figures: inWords(rates.many) },
  ];
}

function medianOf(runs: readonly RoundTrips[] = []): number {
  return percentile(
    runs.map((run) => run.perSecond),
    0.5,
  );
}

function inWords(runs: readonly RoundTrips[] = []): string {
  const median = (of: (run: RoundTrips) => number): string => percentile(runs.map(of), 0.5).toFixed(2);
  return `median ${perSecond(runs.map((run) => run.perSecond))}, p50 ${median((run) => run.p50Ms)} ms, p99 ${median((run) => run.p99Ms)} ms`;
}

function perSecond(rates: readonly number[]): string {
  return `${Math.round(percentile(rates, 0.5)).toLocaleString('en-US')}/s of ${rates.length}`;
}
