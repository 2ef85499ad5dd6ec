import { ApiTokenCreated } from '../../../controller/http/people-schemas.js';
import { InvocationAnswer } from '../../../controller/http/schemas.js';
import { withFaults } from '../judge/checker.js';
import type { Fault } from '../judge/fault.js';
import { judgeRace, type Race } from '../judge/judge-race.js';
import type { PatientApi } from '../rig/api.js';
import { type Rig, startRig } from '../rig/rig.js';
import type { Scenario } from '../scenario.js';
import { withScope } from '../scope.js';
import { judgeWithRecords } from './judge-rig.js';
import { lacksStore, onEachStore, startStoreServer, storeSettings } from './stores.js';

const RACES = { short: 24, full: 200 };
const VOICES = 50;
/** Of the voices in every other race: a denial is the faster way, and would win nearly all of them. */
const DENIERS = [0, 25];

/** Many approve and many deny the same ask at the same moment: one of them is heard. */
export const races: readonly Scenario[] = onEachStore((kind) => ({
  name: `races-${kind}`,
  what: `${VOICES} approvals and denials of one ask at once`,
  lacks: () => lacksStore(kind),
  run: (context) =>
    withScope(async (scope) => {
      const { random, note } = context;
      const store = await startStoreServer(scope, kind);
      const rig = await startRig(context, { controller: { settings: storeSettings(store) } });
      scope.after(rig.stop);
      const asker = await addOperator(rig);
      const count = RACES[context.size];
      const faults: Fault[] = [];
      for (let nth = 1; nth <= count; nth += 1) {
        faults.push(
          ...judgeRace(await race(rig, { asker, random, label: `race ${nth}`, deniers: DENIERS[nth % 2] ?? 0 })),
        );
        if (nth % 50 === 0) note(`${nth} of ${count} races`);
      }
      await rig.quiet();
      return { points: count, verdict: withFaults(await judgeWithRecords(rig), faults) };
    }),
}));

/** In an order of chance; `deniers` of the voices deny. */
async function race(
  { api, load }: Rig,
  {
    asker,
    random,
    label,
    deniers,
  }: Readonly<{ asker: PatientApi; random: () => number; label: string; deniers: number }>,
): Promise<Race> {
  const { id, digest } = await load.propose(asker, { label });
  const voices = Array.from({ length: VOICES }, (_, at) => ({
    said: at < deniers ? ('deny' as const) : ('approve' as const),
    turn: random(),
  })).sort((a, b) => a.turn - b.turn);
  const answers = await Promise.all(
    voices.map(async ({ said }) => {
      const body = said === 'approve' ? { digest } : {};
      const { status } = await api.call('POST', `/invocations/${id}/${said}`, { body });
      return { said, status };
    }),
  );
  const { bytes } = await api.call('GET', `/invocations/${id}`);
  const { invocation, executions = [] } = InvocationAnswer.parse(JSON.parse(bytes.toString()));
  if (executions.length > 0) await load.adopt(id, { label });
  return { id, answers, status: invocation.status };
}

/** Somebody who may ask for what others have to approve. */
async function addOperator({ api, apiAs }: Rig): Promise<PatientApi> {
  const user = 'asker';
  await api.call('POST', '/users', { body: { id: user, role: 'operator' } });
  const { bytes } = await api.call('POST', '/tokens', { body: { user, name: 'fault run' } });
  return apiAs(ApiTokenCreated.parse(JSON.parse(bytes.toString())).token);
}
