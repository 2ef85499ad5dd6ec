import type { Registry } from 'prom-client';
import type { Metrics } from '../../protocol/messages/metrics.js';
import { toTime } from '../../runtime/clock.js';

const MIN_INTERVAL_MS = 15_000;
const MAX_SAMPLES = 2_000;

type Sample = Metrics['samples'][number];

/** What prom-client gives of a series; those of a histogram have a name of their own. */
type Measured = Readonly<{
  metricName?: string;
  labels: Readonly<Partial<Record<string, string | number>>>;
  value: number;
}>;

export type SnapshotsOptions = Readonly<{ intervalMs: number; send: () => void; random: () => number }>;

export type Snapshots = Readonly<{ nudge: () => void; stop: () => void }>;

/**
 * The `metrics` message: every sample of the registry that is not zero (an absent one is zero), so that an idle node
 * stays within its bytes an hour.
 */
export async function metricsSnapshot(registry: Registry, node: string, nowMs: number): Promise<string> {
  const metrics = await registry.getMetricsAsJSON();
  const samples: Sample[] = [];
  for (const { name, values } of metrics) {
    for (const sample of values) if (sample.value !== 0) samples.push(toSample(name, sample));
  }
  return JSON.stringify({ v: 1, node, at: toTime(nowMs), samples: samples.slice(0, MAX_SAMPLES) });
}

function toSample(metric: string, { metricName, labels, value }: Measured): Sample {
  return {
    name: metricName ?? metric,
    labels: Object.fromEntries(Object.entries(labels).map(([key, text]) => [key, String(text)])),
    value,
  };
}

/**
 * Calls `send` at an interval and within 15 s of `nudge`, at most once in that time; at a random moment of it, since the
 * nodes that answer a broadcast all end an execution at once.
 */
export function startSnapshots({ intervalMs, send, random }: SnapshotsOptions): Snapshots {
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
      const restMs = lastMs + MIN_INTERVAL_MS - performance.now();
      pending = setTimeout(fire, Math.max(restMs, random() * MIN_INTERVAL_MS));
      pending.unref();
    },
    stop() {
      clearInterval(timer);
      clearTimeout(pending);
    },
  };
}
