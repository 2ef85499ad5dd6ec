import type { Life } from './evidence.js';

/** A process that has just begun or gone on has to find its way back to the others first. */
const RETURN_MS = 5_000;

/** From a moment to another, in milliseconds since 1970. */
export type Span = Readonly<{ fromMs: number; toMs: number }>;

/**
 * For how much of a time something that all of them are needed for could not go on, in milliseconds: since one of them
 * was down, stood still or had just come back. `parts` holds the lives of each.
 */
export function awayMs(parts: readonly (readonly Life[])[], { fromMs, toMs }: Span): number {
  const absences = parts.flatMap(absencesOf).sort((a, b) => a.fromMs - b.fromMs);
  let sumMs = 0;
  let countedMs = fromMs;
  for (const absence of absences) {
    const untilMs = Math.min(absence.toMs, toMs);
    sumMs += Math.max(0, untilMs - Math.max(absence.fromMs, countedMs));
    countedMs = Math.max(countedMs, untilMs);
  }
  return sumMs;
}

function absencesOf(lives: readonly Life[]): Span[] {
  return lives.flatMap(({ toMs, pauses }, at) => [
    ...pauses.map((pause) => ({ fromMs: pause.fromMs, toMs: backAt(pause.toMs) })),
    ...(toMs === undefined ? [] : [{ fromMs: toMs, toMs: backAt(lives[at + 1]?.fromMs) }]),
  ]);
}

/** Who never came back is away for good. */
function backAt(returnMs = Number.POSITIVE_INFINITY): number {
  return returnMs + RETURN_MS;
}
