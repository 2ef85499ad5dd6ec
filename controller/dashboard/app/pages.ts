import type { ComponentType } from 'react';
import { ApprovalsPage } from './approvals/approvals-page.js';
import { AuditPage } from './audit/audit-page.js';
import { InvocationPage } from './invocations/invocation-page.js';
import { InvocationsPage } from './invocations/invocations-page.js';
import { NodePage } from './nodes/node-page.js';
import { NodesPage } from './nodes/nodes-page.js';

/** Every page, by the fragment of its address; those with a name stand in the navigation. */
export const PAGES: readonly Readonly<{ path: string; name?: string; Page: ComponentType }>[] = [
  { path: '/nodes', name: 'Nodes', Page: NodesPage },
  { path: '/nodes/:node', Page: NodePage },
  { path: '/invocations', name: 'Invocations', Page: InvocationsPage },
  { path: '/invocations/:id', Page: InvocationPage },
  { path: '/approvals', name: 'Approvals', Page: ApprovalsPage },
  { path: '/audit', name: 'Audit', Page: AuditPage },
];
