/** The value below which this share (0…1) of the samples lies; the nearest rank. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN;
}

/** Round trips per second and latency in milliseconds of one run. */
export type RoundTrips = Readonly<{ perSecond: number; p50Ms: number; p99Ms: number; count: number }>;

/**
 * Keeps `inFlight` calls going until the time is over, after a warm-up of a fifth of it, and counts what ended inside.
 */
export async function measureRoundTrips(
  call: () => Promise<void>,
  { inFlight, seconds }: { inFlight: number; seconds: number },
): Promise<RoundTrips> {
  const warmUntilMs = performance.now() + seconds * 200;
  const endMs = warmUntilMs + seconds * 1000;
  const samples: number[] = [];
  async function lane(): Promise<void> {
    for (let startMs = performance.now(); startMs < endMs; startMs = performance.now()) {
      await call();
      const nowMs = performance.now();
      if (nowMs >= warmUntilMs && nowMs <= endMs) samples.push(nowMs - startMs);
    }
  }
  await Promise.all(Array.from({ length: inFlight }, lane));
  return {
    perSecond: samples.length / seconds,
    p50Ms: percentile(samples, 0.5),
    p99Ms: percentile(samples, 0.99),
    count: samples.length,
  };
}
