import type { Request } from '../../protocol/messages/request.js';
import type { Logger } from '../../runtime/logger.js';
import type { Action, OutputSink } from '../actions/action.js';
import type { Handover } from '../journal/records.js';
import { type Machine, sinceBegunMs } from '../machine.js';
import { checkParameters } from './parameters.js';
import { CANCELLED, type ExecutionEnd, errorEnd, toEnd, UNFORESEEN } from './run-action.js';

/** What was handed over, and what ends the wait for it. */
export type Followed = Readonly<{
  request: Request;
  action: Action;
  handover: Handover;
  output: OutputSink;
  cancelled: AbortSignal;
  leaving: AbortSignal;
}>;

/**
 * How an execution ended that was handed over to the process after the one that began it; undefined when this process
 * ends before that is known. Never an exception.
 */
export async function followHandover(
  { request, action, handover, output, cancelled, leaving }: Followed,
  { machine, log }: { machine: Machine; log: Logger },
): Promise<ExecutionEnd | undefined> {
  const since = (): number => sinceBegunMs(handover, machine);
  const checked = checkParameters(action.parameters, request.parameters);
  const parameters = checked.ok ? checked.values : new Map();
  try {
    const { execution_id: executionId } = request;
    const end = await action.follow?.({ executionId, parameters, output, handover, cancelled, leaving });
    if (end === undefined) throw new Error('the action handed over what it does not follow');
    switch (end.kind) {
      case 'left':
        return undefined;
      case 'called_off':
        return { ...CANCELLED, durationMs: since(), launched: 'yes' };
      default:
        return toEnd(end, since());
    }
  } catch (err) {
    log.error({ err }, 'action failed unforeseen');
    return errorEnd('internal', UNFORESEEN, since());
  }
}
