import type { TestBroker } from './broker.js';

/** The value of one series of the broker's metrics; undefined when there is no such series. */
export async function brokerMetric(broker: TestBroker, series: string): Promise<number | undefined> {
  const text = await (await fetch(`http://127.0.0.1:${broker.metricsPort}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

/** How often the broker has refused for this reason. */
export function deniedCount(broker: TestBroker, reason: string): Promise<number | undefined> {
  return brokerMetric(broker, `muster_broker_denied_total{reason="${reason}"}`);
}
