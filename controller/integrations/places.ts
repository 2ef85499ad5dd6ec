import { MusterError } from '../../protocol/errors.js';

/** Calls at once; each may hold an answer of 1 MiB. */
const MAX_CALLS = 64;
/** Of these for one integration: a system that hangs keeps no other from being asked. */
const MAX_CALLS_EACH = 16;

/**
 * Takes a place for a call of this integration, by its id, while `others` places are not free for other reasons; what
 * it gives frees the place, once. @throws {MusterError} too_many_open
 */
export type TakePlace = (integration: string, others: number) => () => void;

export function createPlaces(): TakePlace {
  /** By integration, how many are taken. */
  const taken = new Map<string, number>();

  function add(integration: string, count: number): void {
    const sum = (taken.get(integration) ?? 0) + count;
    if (sum === 0) taken.delete(integration);
    else taken.set(integration, sum);
  }

  return (integration, others) => {
    const inAll = [...taken.values()].reduce((sum, count) => sum + count, others);
    if (inAll >= MAX_CALLS) throw tooMany(`${MAX_CALLS} actions of integrations`);
    if ((taken.get(integration) ?? 0) >= MAX_CALLS_EACH) throw tooMany(`${MAX_CALLS_EACH} actions of this integration`);
    add(integration, 1);
    let isTaken = true;
    return () => {
      if (isTaken) add(integration, -1);
      isTaken = false;
    };
  };
}

function tooMany(what: string): MusterError {
  return new MusterError('too_many_open', `${what} are under way already`);
}
