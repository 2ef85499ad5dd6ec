/** A signal, and what lets go of it when the work is done. */
export type TimeLimit = Readonly<{ signal: AbortSignal; release: () => void }>;

/**
 * A signal that fires with another one, or after so many milliseconds. For work that is done again and again under a
 * signal that lives long: of what AbortSignal.any makes, Node 20 keeps something with that signal for ever.
 */
export function startTimeLimit(signal: AbortSignal, ms: number): TimeLimit {
  const limit = new AbortController();
  const end = (): void => limit.abort();
  const timer = setTimeout(end, ms);
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  return {
    signal: limit.signal,
    release() {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
    },
  };
}
