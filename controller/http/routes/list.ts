import { accessRoutes } from './access.js';
import { approvalRoutes } from './approvals.js';
import { auditRoutes } from './audit.js';
import { brokerListRoutes } from './broker-lists.js';
import { containerActionRoutes } from './container-actions.js';
import { dashboardRoutes } from './dashboard.js';
import { enrollmentRoutes } from './enrollment.js';
import { eventRoutes } from './events.js';
import { executionRoutes } from './executions.js';
import { fleetQueueRoutes } from './fleet-queue.js';
import { grantRoutes } from './grants.js';
import { hookRoutes } from './hooks.js';
import { integrationRoutes } from './integrations.js';
import { invocationRoutes } from './invocations.js';
import { mcpRoutes } from './mcp.js';
import { nodeReportRoutes } from './node-reports.js';
import { nodeTokenRoutes } from './node-tokens.js';
import { nodeRoutes } from './nodes.js';
import { peopleRoutes } from './people.js';
import { policyRoutes } from './policy.js';
import { processRoutes } from './process.js';
import type { AddRoutes } from './route.js';
import { sandboxActionRoutes } from './sandbox-actions.js';
import { sandboxDecisionRoutes } from './sandbox-decisions.js';
import { sandboxRoutes } from './sandboxes.js';
import { sessionRoutes } from './sessions.js';
import { signInRoutes } from './sign-in.js';
import { suspensionRoutes } from './suspension.js';
import { tokenRoutes } from './tokens.js';

/** Every resource of the REST API, in the order of its documentation. */
export const ROUTES: readonly AddRoutes[] = [
  nodeRoutes,
  hookRoutes,
  invocationRoutes,
  approvalRoutes,
  grantRoutes,
  executionRoutes,
  integrationRoutes,
  policyRoutes,
  eventRoutes,
  enrollmentRoutes,
  containerActionRoutes,
  sandboxRoutes,
  sandboxActionRoutes,
  sandboxDecisionRoutes,
  mcpRoutes,
  nodeTokenRoutes,
  fleetQueueRoutes,
  nodeReportRoutes,
  peopleRoutes,
  tokenRoutes,
  signInRoutes,
  sessionRoutes,
  accessRoutes,
  brokerListRoutes,
  auditRoutes,
  suspensionRoutes,
  processRoutes,
  dashboardRoutes,
];
