import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Api } from './api.js';
import { makeEnrollmentToken, startInstallation, whenOnline } from './controller-setup.js';
import type { Line } from './main.js';
import { startScript } from './processes.js';
import { measureRawFanOut } from './raw.js';
import { percentile } from './statistics.js';

const NODES = 1000;
const ROUNDS = 5;
const Answer = z.object({
  invocation: z.object({ status: z.string(), counts: z.object({ total: z.int(), success: z.int() }) }),
});

/** One fleet broadcast until every signed result is stored, beside one bare publish until every client has answered. */
export async function measureBroadcast(parent: string): Promise<Line[]> {
  const directory = mkdtempSync(join(parent, 'broadcast-'));
  // A thousand journals on one disk would measure that disk; a real fleet has a disk for each node.
  const journals = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : parent, 'muster-bench-'));
  const installation = await startInstallation(directory);
  try {
    const raw = await measureRawFanOut(installation.access, NODES, ROUNDS);
    const { url, api } = await installation.startController();
    const agents = await startScript('simulated-agents.ts', [
      url,
      await makeEnrollmentToken(api, NODES),
      journals,
      String(NODES),
    ]);
    await whenOnline(api, NODES);
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) times.push(await broadcast(api));
    api.close();
    await agents.stop();
    const ratio = percentile(times, 0.5) / percentile(raw, 0.5);
    return [
      { what: `raw fan-out to ${NODES} and their replies`, figures: inWords(raw) },
      {
        what: `broadcast to ${NODES} agents until all stored`,
        figures: inWords(times),
        aim: `${ratio.toFixed(2)} × raw, aim ≤ 3`,
        met: ratio <= 3,
      },
    ];
  } finally {
    await installation.stop();
    rmSync(journals, { recursive: true, force: true });
  }
}

async function broadcast(api: Api): Promise<number> {
  const startMs = performance.now();
  const { status, body } = await api.call(
    'POST',
    '/api/v1/invocations',
    { action: 'gather_info', target: { fleet: true } },
    { prefer: 'wait=60' },
  );
  const { invocation } = Answer.parse(body);
  if (status !== 200 || invocation.counts.success !== NODES)
    throw new Error(`${status} ${JSON.stringify(body).slice(0, 500)}`);
  return performance.now() - startMs;
}

function inWords(times: readonly number[]): string {
  return `median ${percentile(times, 0.5).toFixed(0)} ms, all ${times.map((ms) => ms.toFixed(0)).join(' ')}`;
}
