/**
 * A broken promise. `lost`: accepted, and its outcome never came. `doubled`: started more than once, or unasked.
 * `late`: started outside its window. `undefined`: its outcome is not definite or does not say what happened.
 * `orphan`: a process outlived its execution. `other`: everything else that has to hold.
 */
export type FaultKind = 'lost' | 'doubled' | 'late' | 'undefined' | 'orphan' | 'other';

export type Fault = Readonly<{ kind: FaultKind; sentence: string }>;

/** A fault of an execution that is known from the context: the rest of a sentence that begins with its id. */
export type Finding = readonly [FaultKind, string];

/** One line for a reader. */
export function describeFault({ kind, sentence }: Fault): string {
  return `${kind}: ${sentence}`;
}
