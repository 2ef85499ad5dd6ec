import { z } from 'zod';
import { toTime } from '../../runtime/clock.js';
import { IntegrationStatus, IntegrationView } from '../http/integration-schemas.js';
import type { PolicyDocument } from '../policy/document.js';
import { riskOfIntegration } from '../policy/risks.js';
import type { IntegrationRow } from '../store/integrations.js';
import type { Adapters } from './adapter.js';

const Settings = z.record(z.string(), z.string());

/** An integration as everybody may see it who reads: without its credential, sealed or not. */
export function toIntegrationView(
  row: IntegrationRow,
  { adapters, policy }: Readonly<{ adapters: Adapters; policy: PolicyDocument }>,
): IntegrationView {
  const { id, name, adapter, base_url, created_by } = row;
  const actions = adapters.get(adapter)?.actions ?? [];
  return {
    ...{ id, name, adapter, base_url, created_by },
    provider: IntegrationView.shape.provider.parse(row.provider),
    settings: Settings.parse(JSON.parse(row.settings)),
    status: IntegrationStatus.parse(row.status),
    created_at: toTime(row.created_at),
    actions: actions.map(({ name: action, description, risk, params }) => ({
      ...{ name: action, description, params: [...params] },
      risk: riskOfIntegration(policy, `${name}/${action}`, risk),
    })),
  };
}
