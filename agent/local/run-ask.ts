import { uuidv7 } from 'uuidv7';
import { formatDuration } from '../../protocol/durations.js';
import { parsePayload } from '../../protocol/envelope.js';
import { MusterError } from '../../protocol/errors.js';
import type { RejectionReason } from '../../protocol/messages/ack.js';
import { type Parameters, ParameterValue } from '../../protocol/messages/parameters.js';
import type { Request } from '../../protocol/messages/request.js';
import { Result } from '../../protocol/messages/result.js';
import { type Clock, toTime } from '../../runtime/clock.js';
import type { Action } from '../actions/action.js';
import type { Executor } from '../executor/executor.js';
import { checkParameters } from '../executor/parameters.js';
import { receiveLocally } from '../executor/received.js';
import type { Speaker } from '../executor/to-result.js';
import type { Journal } from '../journal/contract.js';
import type { Caller } from './conversation.js';
import type { Ends } from './ends.js';
import type { RunAsk } from './messages.js';
import { feedOutput } from './output-feed.js';
import type { Users } from './users.js';

export type RunDeps = Readonly<{
  executor: Executor;
  journal: Journal;
  find: (name: string) => Action | undefined;
  ends: Ends;
  users: Pick<Users, 'nameOf'>;
  speaker: Speaker;
  maxPacketBytes: number;
  clock: Clock;
}>;

/** When neither the caller nor the action says how long. */
const DEFAULT_TIMEOUT_MS = 30_000;
/** How long a local request says that it is good for; it starts at once or not at all. */
const WINDOW_MS = 60_000;
/** This share of a packet may be parameters, so that a result that repeats them fits. */
const PARAMETERS_SHARE = 1 / 4;

/**
 * Runs an action for a caller and tells it how that went. A caller that goes away changes nothing: the action goes on,
 * and its result is in the journal.
 * @throws {MusterError} unknown_action, missing_required_parameter, invalid_parameter, and the reasons of a rejection
 */
export async function answerRun(ask: RunAsk, caller: Caller, deps: RunDeps): Promise<void> {
  const { executor, ends } = deps;
  const action = deps.find(ask.action);
  if (action === undefined) throw new MusterError('unknown_action', `This node has no action ${ask.action}`);
  const request = await toRequest(ask, action, { by: deps.users.nameOf(caller.uid), deps });
  const { execution_id: id } = request;
  const follower = ends.follow(id);
  try {
    const reason = await executor.execute(receiveLocally(request));
    if (reason !== '') throw new MusterError(reason, REASONS[reason] ?? 'The agent does not take it');
    caller.say({ kind: 'accepted', execution_id: id });
    caller.onCancel(() => void cancel(id, deps).catch(ignoreFullDisk));
    await feedOutput(id, { caller, ended: follower.ended, isLive: ask.stream, ...deps });
    const result = deps.journal.resultOf(id);
    if (result !== undefined) caller.say({ kind: 'result', result: parsePayload(Result, result) });
  } finally {
    follower.leave();
  }
}

const REASONS: Partial<Record<RejectionReason, string>> = {
  actions_disabled: 'Actions are disabled on this node',
  shutting_down: 'The agent is stopping',
  max_concurrent_reached: 'As many actions as may are running already',
  storage_failed: 'The journal cannot be written',
  unknown_action: 'This node no longer has this action',
};

/** @throws {MusterError} missing_required_parameter, invalid_parameter */
async function toRequest(ask: RunAsk, action: Action, { by, deps }: { by: string; deps: RunDeps }): Promise<Request> {
  const { speaker, clock, maxPacketBytes } = deps;
  const parameters = typed(action, ask.parameters);
  if (Buffer.byteLength(JSON.stringify(parameters)) > maxPacketBytes * PARAMETERS_SHARE) {
    throw new MusterError('invalid_parameter', 'The parameters are too long to be reported');
  }
  const checksum = await action.checksum?.();
  const nowMs = clock.nowMs();
  return {
    v: 1,
    execution_id: uuidv7(),
    org: speaker.org,
    target: { node: speaker.node },
    action: action.name,
    parameters,
    timeout: ask.timeout ?? formatDuration(action.timeoutMs ?? DEFAULT_TIMEOUT_MS),
    ...(checksum === undefined ? {} : { checksum }),
    stream: ask.stream,
    issued_at: toTime(nowMs),
    expires_at: toTime(nowMs + WINDOW_MS),
    triggered_by: { type: 'local', id: by, ...(ask.reason === undefined ? {} : { reason: ask.reason }) },
  };
}

/**
 * The parameters in the types that the action wants, as the controller would have them; defaults stay the action's. A
 * built-in takes no name that it does not announce, a hook does.
 */
function typed(action: Action, given: Parameters): Parameters {
  const checked = checkParameters(action.parameters, given);
  if (!checked.ok) throw new MusterError(checked.code, checked.message);
  const known = new Set(action.parameters.map(({ name }) => name));
  const stranger = Object.keys(given).find((name) => !known.has(name));
  if (stranger !== undefined && action.checksum === undefined) {
    throw new MusterError('invalid_parameter', `${action.name} has no parameter ${stranger}`);
  }
  return Object.fromEntries(
    Object.keys(given).map((name) => [name, ParameterValue.parse(checked.values.get(name) ?? given[name])]),
  );
}

async function cancel(id: string, { executor, journal }: RunDeps): Promise<void> {
  if (journal.find(id)?.state === 'finished') return;
  await executor.cancel({ id, reason: 'cancelled on the node', expiresMs: 0 });
}

/** What runs was told to end before the journal was asked. */
function ignoreFullDisk(error: unknown): void {
  if (!(error instanceof MusterError) || error.code !== 'storage_failed') throw error;
}
