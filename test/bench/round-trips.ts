import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Api } from './api.js';
import { makeEnrollmentToken, startInstallation, whenOnline } from './controller-setup.js';
import { startMuster } from './processes.js';
import { measureRawEcho } from './raw.js';
import { measureRoundTrips, type RoundTrips } from './statistics.js';
import type { Line } from './table.js';

const SECONDS = 10;
const NODE = 'bench-node';
const Answer = z.object({ invocation: z.object({ status: z.string() }) });

/** From `POST /invocations` to a stored, signed result, every fsync included, beside a bare MQTT echo. */
export async function measureEndToEnd(parent: string): Promise<Line[]> {
  const directory = mkdtempSync(join(parent, 'round-trips-'));
  const installation = await startInstallation(directory);
  try {
    const [rawOne, rawMany] = await measureRawEcho(installation.access, [1, 100], SECONDS);
    const { url, api } = await installation.startController();
    const token = await makeEnrollmentToken(api, 1);
    const agent = await startMuster(
      [
        'agent',
        `--enroll=${url}`,
        `--node-id=${NODE}`,
        `--data=${join(directory, 'agent')}`,
        '--metrics-port=0',
        '--max-concurrent=200',
      ],
      { MUSTER_AGENT_ENROLL_TOKEN: token },
    );
    await whenOnline(api, 1);
    const one = await measureRoundTrips(() => invoke(api), { inFlight: 1, seconds: SECONDS });
    const many = await measureRoundTrips(() => invoke(api), { inFlight: 100, seconds: SECONDS });
    api.close();
    await agent.stop();
    if (rawOne === undefined || rawMany === undefined) return [];
    const share = many.perSecond / rawMany.perSecond;
    const over = one.p50Ms - rawOne.p50Ms;
    return [
      { what: '(a) raw MQTT echo, 1 in flight', figures: inWords(rawOne) },
      { what: '(a) raw MQTT echo, 100 in flight', figures: inWords(rawMany) },
      {
        what: '(b) POST to stored result, 1 in flight',
        figures: inWords(one),
        aim: `p50 ${over.toFixed(1)} ms over (a), aim ≤ 10`,
        met: over <= 10,
      },
      {
        what: '(b) POST to stored result, 100 in flight',
        figures: inWords(many),
        aim: `${share.toFixed(2)} of (a), aim ≥ 0.30`,
        met: share >= 0.3,
      },
    ];
  } finally {
    await installation.stop();
  }
}

async function invoke(api: Api): Promise<void> {
  const { status, body } = await api.call(
    'POST',
    '/api/v1/invocations',
    { action: 'gather_info', target: { nodes: [NODE] } },
    { prefer: 'wait=30' },
  );
  const { invocation } = Answer.parse(body);
  if (status !== 200 || invocation.status !== 'completed') throw new Error(`${status} ${JSON.stringify(body)}`);
}

function inWords({ perSecond, p50Ms, p99Ms }: RoundTrips): string {
  return `${Math.round(perSecond)}/s, p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`;
}
