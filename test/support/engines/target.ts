/** A container as a test wants it. */
export type WantedContainer = Readonly<{
  name: string;
  /** What it says when it starts, in this order. */
  says?: readonly Readonly<{ stream: 'stdout' | 'stderr'; text: string }>[];
  /** It ends by itself with this code; it goes on when left out. */
  endsWith?: number;
  /** SIGTERM does not end it. */
  isStubborn?: boolean;
  tty?: boolean;
  env?: readonly string[];
  labels?: Readonly<Record<string, string>>;
}>;

/** A container engine that a test asks: a real one, or the one that stands in for it. */
export type EngineTarget = Readonly<{
  socket: string;
  /** Makes a container that does not run yet; gives its id. */
  create: (wanted: WantedContainer) => Promise<string>;
  remove: (id: string) => Promise<void>;
  stop: () => Promise<void>;
}>;
