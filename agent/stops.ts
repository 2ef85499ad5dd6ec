/** Ends one of the things that a start began. */
type Stop = () => unknown;

/** What a start has begun so far, so that a stop, or a start that fails half-way, ends all of it. */
export type Stops = Readonly<{
  add: (stop: Stop) => void;
  /** The newest first; each waits for the one before. */
  all: () => Promise<void>;
}>;

/** Nothing has begun yet. */
export function createStops(): Stops {
  const stops: Stop[] = [];
  return {
    add: (stop) => void stops.unshift(stop),
    async all() {
      for (const stop of stops) await stop();
    },
  };
}
