import { z } from 'zod';
import { isMusterError, type MusterError } from '../../../protocol/errors.js';
import type { Action, ActionContext, ActionEnd } from '../action.js';
import { failed, printJson } from '../builtins/answers.js';
import type { InspectedContainer } from './answers.js';
import { CONTAINER_PARAMETER, type ContainerHost, endOf, findContainer, inspect, nameOf } from './host.js';
import { isOwn } from './own-container.js';
import { ContainerState, isUp, toState } from './state.js';

/** A container gets this long to end by itself before the engine kills it (S-D-12). */
const GRACE_SECONDS = 10;
/** The grace, the kill, a start and the looks around them. */
const TIMEOUT_MS = 30_000;
/** Of the time-out so much is kept for the look at what came of it. */
const LAST_LOOK_MS = 5_000;
const LEAST_MS = 1_000;

/** What `container_start`, `container_stop` and `container_restart` print. */
export const ContainerAct = z.object({
  container: z.string().describe('Its whole id'),
  name: z.string(),
  changed: z.boolean().describe('False when the engine had nothing to do'),
  before: ContainerState,
  after: ContainerState.nullable().describe('Null when it is gone, as an engine does with what it removes on its end'),
});
export type ContainerAct = Readonly<z.infer<typeof ContainerAct>>;

type Verb = Readonly<{
  name: 'start' | 'stop' | 'restart';
  description: string;
  query: string;
  /** Whether the container is as it was asked to be. */
  isReached: (before: ContainerState, after: ContainerState | null) => boolean;
}>;

const VERBS: readonly Verb[] = [
  {
    name: 'start',
    description: 'Starts a container; one that runs is left alone',
    query: '',
    isReached: runsOrHasDone,
  },
  {
    name: 'stop',
    description: `Stops a container; it is killed when it has not ended after ${GRACE_SECONDS} s`,
    query: `?t=${GRACE_SECONDS}`,
    isReached: (_, after) => after === null || !isUp(after.status),
  },
  {
    name: 'restart',
    description: `Stops a container, with ${GRACE_SECONDS} s to end, and starts it again`,
    query: `?t=${GRACE_SECONDS}`,
    isReached: (before, after) => isNew(before, after) && runsOrHasDone(before, after),
  },
];

/** `container_start`, `container_stop` and `container_restart`: what may be done to a container, and nothing else (D-23). */
export function containerVerbs(host: ContainerHost): Action[] {
  return VERBS.map((verb) => ({
    name: `container_${verb.name}`,
    description: verb.description,
    risk: 'write',
    parameters: [CONTAINER_PARAMETER],
    timeoutMs: TIMEOUT_MS,
    prints: ContainerAct,
    asksMayStart: true,
    run: (context) => endOf(() => act(verb, host, context)),
  }));
}

async function act(verb: Verb, host: ContainerHost, context: ActionContext): Promise<ActionEnd> {
  const { signal, output, mayStart, launched } = context;
  const startedMs = host.clock.monotonicMs();
  const found = await findContainer(host, context);
  if (verb.name !== 'start' && isOwn(found.Id, host.ownIds)) return ownContainer(found);
  if (mayStart?.() === false) return { kind: 'error', code: 'expired', message: 'Its time was over before it began.' };
  launched?.();
  const leftMs = context.timeoutMs - LAST_LOOK_MS - (host.clock.monotonicMs() - startedMs);
  const answer = await host.engine
    .post(`/containers/${found.Id}/${verb.name}${verb.query}`, { signal, ms: Math.max(LEAST_MS, leftMs) })
    .catch(asAnswer);
  const before = toState(found);
  const after = await lookAgain(host, found.Id, signal);
  const changed = answer === 'done' || (answer !== 'already' && isNew(before, after));
  printJson<ContainerAct>(output, { container: found.Id, name: nameOf(found), changed, before, after });
  const isReached = verb.isReached(before, after);
  // What has not answered in time and is as it should be has been done.
  if (isMusterError(answer) && !(isReached && answer.code === 'engine_timeout')) throw answer;
  if (isReached) return { kind: 'exited', exitCode: 0 };
  return failed(output, `${nameOf(found)} is ${describe(after)} after the ${verb.name}`);
}

function ownContainer(found: InspectedContainer): ActionEnd {
  const message = `The agent itself runs in ${nameOf(found)} and would end with it, before it could tell how that went.`;
  return { kind: 'error', code: 'own_container', message };
}

/** What an engine did not do is told after the look at what there is. */
function asAnswer(error: unknown): MusterError {
  if (!isMusterError(error)) throw error;
  return error;
}

async function lookAgain({ engine }: ContainerHost, id: string, signal: AbortSignal): Promise<ContainerState | null> {
  try {
    return toState(await inspect(engine, id, signal));
  } catch (error) {
    if (isMusterError(error, 'container_not_found')) return null;
    throw error;
  }
}

/** It runs, or it was started now and has ended well: some containers have little to do. */
function runsOrHasDone(before: ContainerState, after: ContainerState | null): boolean {
  return after?.status === 'running' || (isNew(before, after) && after?.status === 'exited' && after.exit_code === 0);
}

function isNew(before: ContainerState, after: ContainerState | null): boolean {
  return after !== null && after.started_at !== null && after.started_at !== before.started_at;
}

function describe(state: ContainerState | null): string {
  if (state === null) return 'gone';
  const { status, exit_code: code, out_of_memory: isStarved, error } = state;
  const how = [code === null ? '' : `exit code ${code}`, isStarved ? 'out of memory' : '', error ?? ''].filter(Boolean);
  return how.length === 0 ? status : `${status} (${how.join(', ')})`;
}
