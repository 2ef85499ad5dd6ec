import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Api } from './api.js';
import { makeEnrollmentToken, startInstallation, whenOnline } from './controller-setup.js';
import { bundleScript, type Started, startBundle } from './processes.js';

/** A controller and the nodes that it sees online. */
export type Running = Readonly<{ api: Api; controllerPid: number }>;

/** Real-code agents in a few processes with a controller and a broker of their own; the parts of a run share them. */
export type Fleet = Readonly<{
  /** Lets the fleet grow until it has this many nodes; the first call starts it. */
  of: (count: number) => Promise<Running>;
  stop: () => Promise<void>;
}>;

const AGENTS_PER_PROCESS = 2_500;
const MOST_NODES = 100_000;
/** Thousands of agents in one heap: with the default each of its small collections would copy what all of them hold. */
const NODE_OPTIONS = ['--max-semi-space-size=64'];
const Answer = z.object({
  invocation: z.object({
    id: z.string(),
    completed_at: z.string().nullable(),
    counts: z.object({ total: z.int(), success: z.int() }),
  }),
});

/** A fleet that is not there yet. Its journals lie in memory: on one disk they would measure that disk. */
export function createFleet(parent: string): Fleet {
  const stops: (() => Promise<void>)[] = [];
  let starting: ReturnType<typeof start> | undefined;
  let size = 0;

  async function start() {
    const installation = await startInstallation(mkdtempSync(join(parent, 'fleet-')));
    stops.push(installation.stop);
    const { process: controller, url, api } = await installation.startController();
    const journals = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'muster-bench-'));
    stops.push(async () => rmSync(journals, { recursive: true, force: true }));
    const token = await makeEnrollmentToken(api, MOST_NODES);
    const agents = await bundleScript('simulated-agents.ts');
    return { url, api, token, journals, agents, controllerPid: controller.child.pid ?? 0 };
  }

  return {
    async of(count) {
      starting ??= start();
      const { url, api, token, journals, agents, controllerPid } = await starting;
      const parts = cut({ from: size, to: count, most: AGENTS_PER_PROCESS });
      size = Math.max(size, count);
      const started = await Promise.all(
        parts.map(({ first, length }) => {
          const args = [url, token, journals, String(first), String(length)];
          return startBundle(agents, { args, nodeOptions: NODE_OPTIONS });
        }),
      );
      stops.push(...started.map(({ stop }: Started) => stop));
      await whenOnline(api, count);
      return { api, controllerPid };
    },
    async stop() {
      if (starting !== undefined) (await starting).api.close();
      for (const stop of stops.reverse()) await stop();
    },
  };
}

/** Asks the whole fleet, once, and waits until each of so many results is stored; the id, and how long it took. */
export async function askFleet(api: Api, count: number): Promise<{ id: string; ms: number }> {
  const startMs = performance.now();
  const ask = { action: 'gather_info', target: { fleet: true } };
  let { body } = await api.call('POST', '/api/v1/invocations', ask, { prefer: 'wait=60' });
  let { invocation } = Answer.parse(body);
  while (invocation.completed_at === null && performance.now() - startMs < 300_000) {
    ({ body } = await api.call('GET', `/api/v1/invocations/${invocation.id}`, undefined, { prefer: 'wait=60' }));
    ({ invocation } = Answer.parse(body));
  }
  if (invocation.counts.success !== count) throw new Error(JSON.stringify(body).slice(0, 500));
  return { id: invocation.id, ms: performance.now() - startMs };
}

/** So many in as few parts of about the same length as `most` allows; none when there is nothing left. */
export function cut({
  from,
  to,
  most,
}: {
  from: number;
  to: number;
  most: number;
}): { first: number; length: number }[] {
  const count = Math.max(0, to - from);
  const parts = Math.ceil(count / most);
  return Array.from({ length: parts }, (_, part) => {
    const first = from + Math.floor((count * part) / parts);
    return { first, length: from + Math.floor((count * (part + 1)) / parts) - first };
  });
}
