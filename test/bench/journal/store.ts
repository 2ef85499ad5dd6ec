/** What an agent needs of a durable record of executions, as little as tells the candidates apart. */
export type CandidateStore = Readonly<{
  /** Accepted and starting; on disk when it resolves. */
  start: (id: string, request: Buffer) => Promise<void>;
  /** Its result; on disk when it resolves. */
  finish: (id: string, result: Buffer) => Promise<void>;
  receipt: (ids: readonly string[]) => Promise<void>;
  /** What it knows, by execution id. */
  states: () => Promise<ReadonlyMap<string, 'starting' | 'finished'>>;
  close: () => Promise<void>;
}>;

/** Opens a candidate in this directory. */
export type OpenCandidate = (directory: string) => Promise<CandidateStore>;
