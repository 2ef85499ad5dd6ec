import assert from 'node:assert/strict';
import { dashboardDirectory } from '../../cli/dashboard-directory.js';
import { readDashboard } from '../../controller/http/dashboard.js';
import { ensureOwnerToken } from '../../controller/identity/api-tokens.js';
import type { Role } from '../../controller/services.js';
import { type Clock, SYSTEM_CLOCK } from '../../runtime/clock.js';
import { createLogger } from '../../runtime/logger.js';
import type { TestScope } from './broker.js';
import type { Site } from './browser.js';
import { OWNER, startTestCore, type TestCore } from './core.js';
import { startTestHttp } from './http.js';
import { type AgentScript, type ScriptedAgent, startScriptedAgent } from './scripted-agent.js';

/** Of every user of such a site. */
export const PASSWORD = 'correct horse battery';

/** A controller with the dashboard as the build has made it, in this process; `token` is the owner's. */
export type DashboardSite = Site &
  Readonly<{
    core: TestCore;
    /** Makes the user `the-ROLE`, with the password above; gives the same site with a token of theirs. */
    as: (role: Exclude<Role, 'owner'>) => Promise<Site>;
    /** Enrolls and connects a node that a test speaks for. */
    startAgent: (node: string, script?: AgentScript) => Promise<ScriptedAgent>;
  }>;

/** Starts one, which ends with the test. `config` changes settings of the controller. */
export async function startDashboardSite(
  t: TestScope,
  {
    config = {},
    clock = SYSTEM_CLOCK,
    prepare,
  }: { config?: Readonly<Record<string, unknown>>; clock?: Clock; prepare?: (core: TestCore) => unknown } = {},
): Promise<DashboardSite> {
  const core = await startTestCore(t, { config, clock });
  const token = await ensureOwnerToken(core.store, 'default', clock.nowMs());
  assert.ok(token);
  await prepare?.(core);
  const { services } = core.core;
  const dashboard = await readDashboard(dashboardDirectory(), createLogger('controller', { level: 'silent' }));
  assert.ok(dashboard.page, 'npm run build makes it');
  const { url } = await startTestHttp(t, services, undefined, { dashboard });
  return {
    ...{ url, token, core },
    async as(role) {
      const user = `the-${role}`;
      await services.people.createUser(OWNER, { id: user, role, password: PASSWORD });
      return { url, token: (await services.tokens.create(OWNER, { user, name: 'test' })).token };
    },
    startAgent: (node, script = {}) => startScriptedAgent(t, { services, brokerUrl: core.brokerUrl, node, script }),
  };
}
