import { MusterError } from '../../protocol/errors.js';

/** Messages of one kind that are being worked on, up to a bound of their own. */
export type Lane = Readonly<{
  readonly underWay: number;
  /**
   * Begins the work and gives its end. Work past the bound is not held back, since the acknowledgements of what we say
   * come on the same connection: whoever sent it offers it again.
   * @throws {MusterError} max_concurrent_reached, and what `begin` throws
   */
  take: <T>(begin: () => Promise<T>) => Promise<T>;
}>;

/** A lane with nothing in it. */
export function createLane(limit: number): Lane {
  let underWay = 0;
  return {
    get underWay() {
      return underWay;
    },
    take(begin) {
      if (underWay >= limit) throw new MusterError('max_concurrent_reached', 'too many messages at once');
      const work = begin();
      underWay += 1;
      return work.finally(() => {
        underWay -= 1;
      });
    },
  };
}
