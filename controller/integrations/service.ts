import type { ApprovalDeps } from '../invocations/approve.js';
import { createApproveAction } from './approve.js';
import type { IntegrationService } from './integration-service.js';
import { createInvoke, type InvokeDeps } from './invoke.js';
import { createManage, type ManageDeps } from './manage.js';
import { createRunner, type Runner } from './runner.js';
import { createTokenCache } from './token-cache.js';

/** Everything about integrations: their service, what the invocation service leaves to them, and what goes by the clock. */
export type Integrations = Readonly<{
  service: IntegrationService;
  approveAction: ApprovalDeps['approveAction'];
  runner: Runner;
}>;

export function createIntegrations(from: Omit<InvokeDeps & ManageDeps, 'runner' | 'tokens'>): Integrations {
  const deps = { ...from, tokens: createTokenCache(from.clock) };
  const runner = createRunner(deps);
  const invoking = { ...deps, runner };
  return {
    service: { ...createManage(deps), ...createInvoke(invoking) },
    approveAction: createApproveAction(invoking),
    runner,
  };
}
