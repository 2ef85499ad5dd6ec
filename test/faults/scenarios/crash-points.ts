import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { IsolationLimit } from '../../../agent/actions-config.js';
import { withFaults } from '../judge/checker.js';
import type { Allowances } from '../judge/evidence.js';
import type { Fault } from '../judge/fault.js';
import type { AgentPart } from '../rig/agent-part.js';
import { restartAfterCrash } from '../rig/crash.js';
import { randomAsk } from '../rig/deeds.js';
import { findIsolations } from '../rig/isolations.js';
import type { PartOptions } from '../rig/part-options.js';
import { threadsOf } from '../rig/proc.js';
import { type Rig, startRig } from '../rig/rig.js';
import { settles } from '../rig/settles.js';
import type { Scenario, ScenarioContext } from '../scenario.js';
import {
  attach,
  type CrashPoint,
  choosePoints,
  crashPointsIn,
  dieAt,
  hasKilled,
  lacksStrace,
  watchCalls,
} from '../tools/strace.js';

const POINTS = { short: 12, full: 300 };
/** Not every place that was seen once is come to again. */
const SPARE = 1.5;
/** The agent itself executes nothing: at this call its hooks die. */
const EXECUTIONS = { short: 1, full: 10 };
/** Agents that are harmed at the same time, all of one controller. */
const LANES = { short: 2, full: 3 };
const ASKS = { short: 4, full: 8 };
/** An agent that lives this long with nothing left to do does not come to the crash point. */
const IDLE_MS = 1_500;
const DEADLINE_MS = 60_000;

/** A place to die: while it starts and recovers, or while it works. */
type Place = CrashPoint & Readonly<{ when: 'starting' | 'working' }>;

const EXECUTION: Place = { call: 'execve', nth: 1, when: 'working' };

/**
 * An agent whose every call is traced takes that long to look through /proc for what a hook has left, and no less may a
 * traced hook take to its first line.
 */
const TRACED_MS = 10_000;

/**
 * The tracer follows into the hooks, so that they die, too. Before its first line a program executes, opens and writes;
 * what was left open may run under the tracer of the next start. Who holds hooks by a program in front of them sees
 * that one fail at its execve.
 */
const ALLOWED: Allowances = {
  killsHooks: true,
  killsAtLaunch: /(execve|openat|write|clone) \d+$|^left open$/,
  errors: [{ code: 'start_failed', label: /execve/ }],
  recordMs: TRACED_MS,
  launchMs: TRACED_MS,
};

/** The agent dies at one system call after another; each time it starts again and all comes to its end. */
export const crashPoints: Scenario = {
  name: 'crash-points',
  what: 'SIGKILL at system calls of the agent, while it recovers and while it works',
  lacks: lacksStrace,
  async run(context) {
    const { note } = context;
    const isolations = await findIsolations();
    const rig = await startRig(context, { agent: heldBy(isolations[0]) });
    try {
      const lanes = await startLanes(rig, { isolations, context });
      const places = await findPlaces(lanes[0], context);
      const faults: Fault[] = [];
      const wanted = POINTS[context.size];
      const reached: string[] = [];
      const harm = async (lane: Lane): Promise<void> => {
        for (let place = places.shift(); place !== undefined && reached.length < wanted; place = places.shift()) {
          const { isHit, found } = await crashOnce(lane, place);
          faults.push(...found);
          if (!isHit) continue;
          reached.push(`${lane.isolation} ${place.when} ${place.call} ${place.nth}`);
          if (reached.length % 40 === 0) note(`${reached.length} crash points`);
        }
      };
      await Promise.all(lanes.map(harm));
      await rig.quiet();
      note(`${reached.length} crash points, ${new Set(reached).size} of them different`);
      if (reached.length < wanted) {
        faults.push({ kind: 'other', sentence: `only ${reached.length} of ${wanted} crash points were reached` });
      }
      return { points: reached.length, verdict: withFaults(await rig.judge(ALLOWED), faults) };
    } finally {
      await rig.stop();
    }
  },
};

/** An agent that is harmed, and by what it holds the processes of its hooks. */
type Lane = Readonly<{
  rig: Rig;
  agent: AgentPart;
  isolation: IsolationLimit;
  size: ScenarioContext['size'];
  random: () => number;
}>;

function heldBy(isolation: IsolationLimit): PartOptions {
  return { settings: { process_isolation: isolation } };
}

/** Each agent has another isolation, as far as this machine has them. */
async function startLanes(
  rig: Rig,
  {
    isolations,
    context: { random, size },
  }: { isolations: readonly [IsolationLimit, ...IsolationLimit[]]; context: ScenarioContext },
): Promise<[Lane, ...Lane[]]> {
  const lanes: [Lane, ...Lane[]] = [{ rig, agent: rig.agent, isolation: isolations[0], size, random }];
  while (lanes.length < LANES[size]) {
    const isolation = isolations[lanes.length % isolations.length] ?? isolations[0];
    const agent = await rig.addAgent(`node-${lanes.length + 1}`, heldBy(isolation));
    lanes.push({ rig, agent, isolation, size, random });
  }
  return lanes;
}

/** Watches an agent start with work left over, and then work; half of the places are of either kind. */
async function findPlaces(lane: Lane, { random, size, directory }: ScenarioContext): Promise<Place[]> {
  const { agent, rig } = lane;
  const { load } = rig;
  const traceFile = join(directory, 'trace');
  const half = Math.ceil((POINTS[size] * SPARE) / 2);
  await leaveOpen(lane);
  await submitSome(lane, 'watched start');
  await agent.start({ wrap: watchCalls(traceFile) });
  await load.quiet(DEADLINE_MS);
  const starting = crashPointsIn(readFileSync(traceFile, 'utf8'), {
    threads: threadsOf(agent.pid()),
    from: join(agent.dataDir, 'journal'),
  });
  await agent.kill('SIGKILL');
  await agent.start();
  await agent.welcomed();
  const tracer = await attach(agent.pid(), { traceFile });
  await submitSome(lane, 'watched work');
  await load.quiet(DEADLINE_MS);
  await tracer.detach();
  const working = crashPointsIn(readFileSync(traceFile, 'utf8'), { threads: threadsOf(agent.pid()) });
  rmSync(traceFile);
  const asStarting = choosePoints(starting, half, random).map((point) => ({ ...point, when: 'starting' as const }));
  const asWorking = choosePoints(working, half, random).map((point) => ({ ...point, when: 'working' as const }));
  const executions = Array.from({ length: EXECUTIONS[size] }, () => EXECUTION);
  return [...executions, ...asStarting.flatMap((place, at) => [place, asWorking[at] ?? place])];
}

/** From a running agent to a running agent, with a crash in between; `isHit` says whether it came to the place. */
async function crashOnce(lane: Lane, place: Place): Promise<{ isHit: boolean; found: Fault[] }> {
  const { agent, rig } = lane;
  const label = `${place.when}, ${place.call} ${place.nth}`;
  // One for each: the tracer of an earlier crash still writes while a hook of that time lives.
  const traceDirectory = mkdtempSync(`${agent.dataDir}.trace-`);
  const traceFile = join(traceDirectory, 'trace');
  let ids: string[];
  if (place.when === 'starting') {
    await leaveOpen(lane);
    ids = await submitSome(lane, label);
    await agent.tryStart({ wrap: dieAt(place, traceFile) });
  } else {
    await attach(agent.pid(), { point: place, traceFile });
    ids = await submitSome(lane, label);
  }
  const hasDied = await diesBeforeIdle(rig, agent, ids);
  const isHit = place === EXECUTION ? hasKilled(traceFile) : hasDied;
  if (!hasDied) await agent.kill('SIGKILL');
  const found = await restartAfterCrash(agent, label);
  await settles(() => areOver(rig, ids), DEADLINE_MS);
  return { isHit, found };
}

/** Kills the agent with work under way, so that the next one has something to recover. */
async function leaveOpen(lane: Lane): Promise<void> {
  const { agent, rig } = lane;
  const ids = await submitSome(lane, 'left open');
  await settles(async () => (await rig.load.look(ids[0] ?? ''))?.status !== 'queued', DEADLINE_MS);
  await agent.kill('SIGKILL');
}

async function submitSome({ rig, agent, isolation, size, random }: Lane, label: string): Promise<string[]> {
  const asks = Array.from({ length: ASKS[size] }, () => ({ ...randomAsk(random, label, isolation), node: agent.node }));
  return Promise.all(asks.map((ask) => rig.load.submit(ask)));
}

async function diesBeforeIdle(rig: Rig, agent: AgentPart, ids: readonly string[]): Promise<boolean> {
  await settles(async () => !agent.isRunning() || (await areOver(rig, ids)), DEADLINE_MS);
  await settles(() => !agent.isRunning(), IDLE_MS);
  return !agent.isRunning();
}

async function areOver({ load }: Rig, ids: readonly string[]): Promise<boolean> {
  for (const id of ids) if (!(await load.isOver(id))) return false;
  return true;
}
