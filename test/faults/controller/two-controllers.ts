import { percentile } from '../../bench/statistics.js';
import { withFaults } from '../judge/checker.js';
import type { Fault } from '../judge/fault.js';
import { type Rig, type RigController, startRig } from '../rig/rig.js';
import { settles } from '../rig/settles.js';
import type { Scenario, ScenarioContext } from '../scenario.js';
import { withScope } from '../scope.js';
import { judgeWithRecords } from './judge-rig.js';
import { lacksStore, startStoreServer, storeSettings } from './stores.js';
import { keepSubmitting, SUBMIT_SETTINGS, type SubmitLoad } from './submit-load.js';

const ROUNDS = { short: 6, full: 48 };
/** A takeover that takes longer is a fault. */
const TAKEOVER_MS = 15_000;
/** Who has just been started again finds the lease taken, or takes it. */
const LEADER_MS = 30_000;
/** What is done to which of the two, round for round. */
const HARMS = [
  { to: 'leader', by: 'kill' },
  { to: 'standby', by: 'kill' },
  { to: 'leader', by: 'kill' },
  { to: 'leader', by: 'freeze' },
  { to: 'leader', by: 'kill' },
  { to: 'standby', by: 'freeze' },
] as const;
/** Another node, which does nothing but what tells that work flows again. */
const WITNESS = 'node-2';

type Harm = (typeof HARMS)[number];

/** How long nobody did any work after the one that led was harmed. */
type Takeover = Readonly<{ by: Harm['by']; ms: number }>;

/** Of two controllers on one database one is killed or frozen again and again while many callers submit at both. */
export const twoControllers: Scenario = {
  name: 'two-controllers-postgres',
  what: 'kill -9 and SIGSTOP of one of two controllers on one database while many callers submit at both',
  lacks: () => lacksStore('postgres'),
  run: (context) =>
    withScope(async (scope) => {
      const { random, note } = context;
      const store = await startStoreServer(scope, 'postgres');
      const rig = await startRig(context, {
        agent: { settings: SUBMIT_SETTINGS },
        controller: { settings: storeSettings(store) },
        secondController: true,
      });
      scope.after(rig.stop);
      await rig.addAgent(WITNESS);
      let round = 0;
      const load = keepSubmitting(rig, { random, label: () => `round ${round}`, waitForEnds: true });
      const takeovers: Takeover[] = [];
      const faults: Fault[] = [];
      const rounds = ROUNDS[context.size];
      for (round = 1; round <= rounds; round += 1) {
        await load.someAnswers();
        const harm = HARMS[(round - 1) % HARMS.length] ?? HARMS[0];
        const takeover = await harmOne(rig, { load, harm, label: `witness of round ${round}` });
        if (takeover !== undefined) takeovers.push(takeover);
        if (round % 10 === 0) note(`${round} of ${rounds} rounds`);
      }
      faults.push(...(await load.stop()), ...takeovers.flatMap(judgeTakeover));
      tellTakeovers(takeovers, context);
      await rig.quiet();
      return { points: rounds, verdict: withFaults(await judgeWithRecords(rig), faults) };
    }),
};

/** Harms one of them, and lets it come back once the other one has worked; says how long that took if it matters. */
async function harmOne(
  rig: Rig,
  { load, harm, label }: Readonly<{ load: SubmitLoad; harm: Harm; label: string }>,
): Promise<Takeover | undefined> {
  const { leader, standby } = await findRoles(rig);
  const [victim, other] = harm.to === 'leader' ? [leader, standby] : [standby, leader];
  const startMs = performance.now();
  if (harm.by === 'kill') await victim.part.kill('SIGKILL');
  else victim.part.pause();
  await work(rig, other, label);
  const ms = performance.now() - startMs;
  await load.someAnswers();
  if (harm.by === 'kill') await victim.part.start();
  else victim.part.resume();
  return harm.to === 'leader' ? { by: harm.by, ms } : undefined;
}

/** Which one leads, once one of them does and the other one knows. */
async function findRoles({ controllers }: Rig): Promise<{ leader: RigController; standby: RigController }> {
  let roles: string[] = [];
  const areClear = async (): Promise<boolean> => {
    roles = await Promise.all(controllers.map(roleOf));
    return roles.includes('leader') && roles.includes('standby');
  };
  const isClear = await settles(areClear, LEADER_MS);
  const leader = controllers[roles.indexOf('leader')];
  const standby = controllers[roles.indexOf('standby')];
  if (!isClear || leader === undefined || standby === undefined) throw new Error(`nobody leads: ${roles.join(', ')}`);
  return { leader, standby };
}

async function roleOf({ url }: RigController): Promise<string> {
  try {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) });
    return (await answer.text()).trim();
  } catch {
    return 'away';
  }
}

/** Resolves when something that only this controller was asked for is done. */
async function work({ load }: Rig, { api }: RigController, label: string): Promise<void> {
  const id = await load.submit({ node: WITNESS, label }, api);
  const isDone = async (): Promise<boolean> => (await load.look(id, api))?.status === 'success';
  if (!(await settles(isDone, LEADER_MS))) throw new Error(`${id} (${label}) is not done`);
}

function judgeTakeover({ by, ms }: Takeover): Fault[] {
  if (ms <= TAKEOVER_MS) return [];
  return [{ kind: 'other', sentence: `no work was done for ${ms.toFixed(0)} ms after a ${by} of the one that led` }];
}

function tellTakeovers(takeovers: readonly Takeover[], { note }: ScenarioContext): void {
  for (const by of ['kill', 'freeze'] as const) {
    const times = takeovers.filter((each) => each.by === by).map(({ ms }) => ms / 1000);
    const [median, most] = [percentile(times, 0.5), Math.max(...times)].map((seconds) => seconds.toFixed(1));
    note(`work went on after ${times.length} × ${by} of the one that led: median ${median} s, at most ${most} s`);
  }
}
