import type { ComponentType } from 'react';
import type { Role } from '../../http/people-schemas.js';
import { ApprovalsPage } from './approvals/approvals-page.js';
import { AuditPage } from './audit/audit-page.js';
import { InvocationPage } from './invocations/invocation-page.js';
import { InvocationsPage } from './invocations/invocations-page.js';
import { NodePage } from './nodes/node-page.js';
import { NodesPage } from './nodes/nodes-page.js';

/** A page by the fragment of its address; with a name it stands in the navigation, with `least` it is for such a role. */
type PageEntry = Readonly<{ path: string; name?: string; Page: ComponentType; least?: Role }>;

/** Every page. */
export const PAGES: readonly PageEntry[] = [
  { path: '/nodes', name: 'Nodes', Page: NodesPage },
  { path: '/nodes/:node', Page: NodePage },
  { path: '/invocations', name: 'Invocations', Page: InvocationsPage },
  { path: '/invocations/:id', Page: InvocationPage },
  { path: '/approvals', name: 'Approvals', Page: ApprovalsPage },
  { path: '/audit', name: 'Audit', Page: AuditPage, least: 'admin' },
];
