import { createEventFeed } from '../../controller/events/feed.js';
import type { StreamLimits } from '../../controller/http/event-streams.js';
import type { Services } from '../../controller/services.js';
import { openStore, type Store } from '../../controller/store/store.js';
import { createLogger } from '../../runtime/logger.js';
import type { TestScope } from './broker.js';
import { startTestHttp } from './http.js';
import { createScriptedServices, tokenOf } from './scripted-services.js';
import { storePlace } from './store-place.js';

/** A store with a REST API that streams its events. */
export type TestLog = Readonly<{
  store: Store;
  url: string;
  /** Of a viewer. */
  token: string;
  /** Stores that these nodes are there, in one commit. */
  tell: (...nodes: readonly string[]) => Promise<void>;
  /** What a controller does twice a second. */
  poll: () => void;
}>;

export async function startTestLog(
  t: TestScope,
  {
    place,
    limits = {},
    authenticate,
  }: { place?: string; limits?: Partial<StreamLimits>; authenticate?: Services['authenticate'] } = {},
): Promise<TestLog> {
  const log = createLogger('controller', { level: 'silent' });
  const store = await openStore(place ?? (await storePlace(t)));
  t.after(store.close);
  const feed = createEventFeed({ store, log });
  const scripted = createScriptedServices().services;
  const services = { ...scripted, events: feed, authenticate: authenticate ?? scripted.authenticate };
  const { url } = await startTestHttp(t, services, log, limits);
  return {
    ...{ store, url, token: tokenOf('viewer'), poll: feed.poll },
    tell: (...nodes) =>
      store.write(async (tx) => {
        for (const node of nodes) tx.tell({ org: 'default', event: { type: 'node', node, change: 'online' } });
      }),
  };
}
