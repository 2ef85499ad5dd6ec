import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { uuidv7 } from 'uuidv7';
import { z } from 'zod';
import { injectInto } from '../../faults/tools/inject.js';
import { createLoopDisk } from '../../faults/tools/loop-disk.js';
import { createSmallDisk } from '../../faults/tools/small-disk.js';
import { type CandidateProcess, startCandidate } from './candidate-process.js';

const IN_FLIGHT = 16;
const Told = z.union([z.object({ started: z.string() }), z.object({ finished: z.string() })]);
const Tried = z.object({ ok: z.boolean(), error: z.string().optional() });
const States = z.object({ states: z.array(z.tuple([z.string(), z.enum(['starting', 'finished'])])) });

/** What power cuts took although it had been acknowledged. A forgotten start would be a second run. */
export type CutReport = Readonly<{ cuts: number; told: number; forgottenStarts: number; lostResults: number }>;

/** Cuts the power of a candidate's disk while it works, this many times. */
export async function cutPower(name: string, parent: string, cuts: number): Promise<CutReport> {
  const disk = await createLoopDisk({ image: join(parent, `${name}-image`), path: join(parent, `${name}-disk`) });
  let report: CutReport = { cuts, told: 0, forgottenStarts: 0, lostResults: 0 };
  try {
    for (let cut = 0; cut < cuts; cut += 1) {
      const started = new Set<string>();
      const finished = new Set<string>();
      const directory = join(disk.path, `store-${cut}`);
      mkdirSync(directory);
      const candidate = await startCandidate(name, directory);
      candidate.child.on('message', (message) => {
        const told = Told.parse(message);
        if ('started' in told) started.add(told.started);
        else finished.add(told.finished);
      });
      candidate.child.send({ do: 'endless', inFlight: IN_FLIGHT });
      await wait(200 + Math.random() * 400);
      // The processor stops with the power: a sync that the dying file system still answers must not be heard.
      candidate.child.kill('SIGSTOP');
      await disk.cut();
      await candidate.kill();
      await disk.powerOn();
      const states = await statesOf(await startCandidate(name, directory));
      rmSync(directory, { recursive: true });
      report = {
        cuts,
        told: report.told + started.size + finished.size,
        forgottenStarts: report.forgottenStarts + [...started].filter((id) => !states.has(id)).length,
        lostResults: report.lostResults + [...finished].filter((id) => states.get(id) !== 'finished').length,
      };
    }
    return report;
  } finally {
    await disk.remove();
  }
}

/** Whether a candidate refuses on a bad disk, goes on by itself when it is good again, and keeps what it acknowledged. */
export type BadDiskReport = Readonly<{ refused: number; goesOn: boolean; lost: number }>;

const TRIES = 12;
const REQUEST_BYTES = 4_000;

/** Fills a candidate's disk to the last byte, and gives it room again. */
export async function fillDisk(name: string, parent: string): Promise<BadDiskReport> {
  const disk = await createSmallDisk({ path: join(parent, `${name}-small`), megabytes: 16 });
  const directory = join(disk.path, 'store');
  mkdirSync(directory);
  try {
    return await tryOnBadDisk(name, directory, async (tries) => {
      disk.fill();
      await tries();
      disk.free();
    });
  } finally {
    await disk.remove();
  }
}

/** Makes two syncs in a row of a candidate fail with EIO. */
export function failSyncs(name: string, parent: string): Promise<BadDiskReport> {
  const directory = join(parent, `${name}-eio`);
  mkdirSync(directory);
  return tryOnBadDisk(name, directory, async (tries, pid) => {
    const rule = { calls: 'fdatasync,fsync', error: 'EIO', when: '1..2' } as const;
    const injected = await injectInto(pid, rule, join(parent, `${name}-calls`));
    await tries();
    await injected.detach();
  });
}

async function tryOnBadDisk(
  name: string,
  directory: string,
  harm: (tries: () => Promise<void>, pid: number) => Promise<void>,
): Promise<BadDiskReport> {
  const candidate = await startCandidate(name, directory);
  const acknowledged: string[] = [];
  const attempt = async (): Promise<boolean> => {
    const id = uuidv7();
    const { ok } = await candidate.ask(Tried, { do: 'try', id, bytes: REQUEST_BYTES });
    if (ok) acknowledged.push(id);
    return ok;
  };
  let refused = 0;
  for (let count = 0; count < TRIES; count += 1) await attempt();
  await harm(async () => {
    for (let count = 0; count < TRIES; count += 1) if (!(await attempt())) refused += 1;
  }, candidate.child.pid ?? 0);
  const goesOn = await attempt();
  await candidate.kill();
  const states = await statesOf(await startCandidate(name, directory));
  return { refused, goesOn, lost: acknowledged.filter((id) => !states.has(id)).length };
}

async function statesOf(candidate: CandidateProcess): Promise<Map<string, 'starting' | 'finished'>> {
  const { states } = await candidate.ask(States, { do: 'states' });
  await candidate.kill();
  return new Map(states);
}
