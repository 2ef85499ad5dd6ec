import type { Aedes } from 'aedes';
import type { Clock } from '../runtime/clock.js';
import { VERSION } from '../runtime/version.js';
import type { Clients } from './clients.js';
import type { BrokerMetrics } from './metrics.js';

const INTERVAL_MS = 10_000;

/** Publishes the usual counters under `$SYS/broker/` now and every 10 s, retained, for monitors. Gives the function that ends it. */
export function startSysTopics({
  aedes,
  clients,
  metrics,
  clock,
}: {
  aedes: Aedes;
  clients: Clients;
  metrics: BrokerMetrics;
  clock: Clock;
}): () => void {
  const startedMs = clock.monotonicMs();
  const publish = (name: string, value: string | number): void =>
    aedes.publish(
      { cmd: 'publish', topic: `$SYS/broker/${name}`, payload: `${value}`, qos: 0, retain: true, dup: false },
      () => undefined,
    );
  const publishAll = (): void => {
    const totals = metrics.totals();
    publish('version', `muster ${VERSION}`);
    publish('uptime', `${Math.floor((clock.monotonicMs() - startedMs) / 1000)} seconds`);
    publish('clients/connected', clients.ready);
    publish('messages/received', totals.in);
    publish('messages/sent', totals.out);
  };
  publishAll();
  const timer = setInterval(publishAll, INTERVAL_MS);
  return () => clearInterval(timer);
}
