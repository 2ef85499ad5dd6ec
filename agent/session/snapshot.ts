import type { Registry } from 'prom-client';
import { toTime } from '../../runtime/clock.js';

const MIN_INTERVAL_MS = 15_000;

/**
 * The `metrics` message: every sample of the registry that is not zero (an absent one is zero), so that an idle node
 * stays within its bytes an hour.
 */
export async function metricsSnapshot(registry: Registry, node: string, nowMs: number): Promise<string> {
  const metrics = await registry.getMetricsAsJSON();
  const samples = metrics.flatMap(({ name, values }) =>
    values.map((sample) => ({
      name: 'metricName' in sample && typeof sample.metricName === 'string' ? sample.metricName : name,
      labels: Object.fromEntries(Object.entries(sample.labels).map(([key, value]) => [key, String(value)])),
      value: sample.value,
    })),
  );
  return JSON.stringify({
    v: 1,
    node,
    at: toTime(nowMs),
    samples: samples.filter(({ value }) => value !== 0).slice(0, 2000),
  });
}

/** Calls `send` at an interval and soon after `nudge`, at most once in 15 s. */
export function startSnapshots({ intervalMs, send }: { intervalMs: number; send: () => void }): {
  nudge: () => void;
  stop: () => void;
} {
  let lastMs = Number.NEGATIVE_INFINITY;
  let pending: NodeJS.Timeout | undefined;
  const fire = (): void => {
    clearTimeout(pending);
    pending = undefined;
    lastMs = performance.now();
    send();
  };
  const timer = setInterval(fire, intervalMs);
  timer.unref();
  return {
    nudge() {
      if (pending !== undefined) return;
      pending = setTimeout(fire, Math.max(0, lastMs + MIN_INTERVAL_MS - performance.now()));
      pending.unref();
    },
    stop() {
      clearInterval(timer);
      clearTimeout(pending);
    },
  };
}
