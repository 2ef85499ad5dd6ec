import { z } from 'zod';
import { path } from '../path.js';
import { UpstreamFailure } from '../upstream-failure.js';
import { EndTime, type Provider } from './provider.js';

const Settings = z.object({ base_url: z.string(), connection_id: z.string(), provider_config_key: z.string() });

/** A connection as Nango answers it: an OAuth token, which it has renewed when need be, or an API key. */
const Connection = z.object({
  credentials: z.union([
    z
      .object({ access_token: z.string().min(1), expires_at: EndTime })
      .transform(({ access_token: token, expires_at: expiresMs }) => ({ token, expiresMs })),
    z.object({ apiKey: z.string().min(1) }).transform(({ apiKey }) => ({ token: apiKey })),
  ]),
});

/** A connection that Nango looks after. */
export const NANGO: Provider<'nango'> = {
  recordOf: ({ secret_key, base_url, connection_id, provider_config_key }) => ({
    secret: secret_key,
    settings: { base_url, connection_id, provider_config_key },
  }),
  async token({ secret, settings }, { ask }) {
    const { base_url, connection_id, provider_config_key } = Settings.parse(settings);
    const via = ask('nango', base_url, { authorization: `Bearer ${secret}` });
    const answer = await via({ path: path`/connection/${connection_id}`, query: { provider_config_key } });
    const parsed = Connection.safeParse(answer);
    if (parsed.success) return parsed.data.credentials;
    throw new UpstreamFailure('integration_failed', 'nango answered without a token');
  },
};
