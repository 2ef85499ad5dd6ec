import type { Params } from '../../controller/integrations/action.js';
import type { Adapter } from '../../controller/integrations/adapter.js';
import { createUpstream } from '../../controller/integrations/upstream.js';
import type { TestScope } from './broker.js';
import { type Reply, type Seen, type StandIn, startStandIn } from './stand-in.js';

/** An adapter with a stand-in for the system that it speaks to; `basePath` is where that answers. */
export async function connectAdapter(
  t: TestScope,
  adapter: Adapter,
  reply: (seen: Seen, count: number) => Reply,
  basePath = '',
): Promise<
  Readonly<{
    standIn: StandIn;
    execute: (action: string, params: Params) => Promise<unknown>;
    check: () => Promise<unknown>;
  }>
> {
  const standIn = await startStandIn(t, reply);
  const { signal } = new AbortController();
  const { integration: name, headersFor } = adapter;
  const baseUrl = `${standIn.url}${basePath}`;
  const via = createUpstream({ name, baseUrl, headers: headersFor('the-token-of-it'), signal, scrub: (text) => text });
  return {
    standIn,
    execute: (action, params) => adapter.execute(action, params, via),
    check: () => adapter.check(via),
  };
}
