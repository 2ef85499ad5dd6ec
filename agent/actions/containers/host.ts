import { ContainerReference, isMeant } from '../../../protocol/containers.js';
import { isMusterError, MusterError } from '../../../protocol/errors.js';
import type { Clock } from '../../../runtime/clock.js';
import type { Mask } from '../../../runtime/masking/mask.js';
import type { ActionContext, ActionEnd } from '../action.js';
import { InspectedContainer } from './answers.js';
import type { Engine } from './engine.js';

/** What the container actions are made with. */
export type ContainerHost = Readonly<{
  engine: Engine;
  /** Ids of the containers that the agent itself runs in. */
  ownIds: readonly string[];
  maxOutputBytes: number;
  /** Takes registered values out of a report before it is cut to `maxOutputBytes`. */
  mask: Mask;
  clock: Clock;
}>;

/** The parameter that names a container. */
export const CONTAINER_PARAMETER = {
  name: 'container',
  type: 'string',
  required: true,
  description: 'Its id, at least the first 12 digits of it, or its name',
} as const;

/**
 * The container that the parameter names, as the engine shows it. From here on it is called by its whole id.
 * @throws {MusterError} invalid_parameter, container_not_found, and the others of {@link Engine}
 */
export async function findContainer(
  { engine }: ContainerHost,
  { parameters, signal }: Pick<ActionContext, 'parameters' | 'signal'>,
): Promise<InspectedContainer> {
  const reference = ContainerReference.safeParse(parameters.get('container'));
  if (!reference.success) {
    throw new MusterError('invalid_parameter', 'The parameter container is no id and no name of a container.');
  }
  const found = await inspect(engine, reference.data, signal);
  if (isMeant({ id: found.Id, name: nameOf(found) }, reference.data)) return found;
  // An engine takes shorter beginnings of an id, by which the controller would not have known what it is.
  throw new MusterError('container_not_found', `No container of this node has the name or id ${reference.data}.`);
}

/** @throws {MusterError} those of {@link Engine} */
export function inspect(engine: Engine, id: string, signal: AbortSignal): Promise<InspectedContainer> {
  return engine.get(`/containers/${encodeURIComponent(id)}/json`, InspectedContainer, signal);
}

/** The name without the slash that engines put before it. */
export function nameOf({ Name }: { Name: string }): string {
  return Name.replace(/^\//, '');
}

/** Runs an action to its end; what the engine did not do is an end as well. */
export async function endOf(work: () => Promise<ActionEnd>): Promise<ActionEnd> {
  try {
    return await work();
  } catch (error) {
    if (!isMusterError(error)) throw error;
    return { kind: 'error', code: error.code, message: error.message };
  }
}
