import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import type { AuditView } from '../../../http/audit-schemas.js';
import type { GrantView } from '../../../http/grant-schemas.js';
import type { ExecutionGroupView, NodesSummary } from '../../../http/list-schemas.js';
import type { SandboxView } from '../../../http/sandbox-schemas.js';
import type {
  ActionView,
  ExecutionView,
  GroupView,
  HookView,
  InvocationAnswer,
  InvocationView,
  NodeDetail,
  NodeView,
} from '../../../http/schemas.js';
import { call, callTimed } from './client.js';

/** A page of a list, as the API gives it. */
export type Page<T> = Readonly<{ items: readonly T[]; next_cursor: string | null }>;

/** Values of a query string; what is empty is left out. */
export type Filter = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Under this key lies who is signed in; null: nobody. */
export const SESSION_KEY = ['session'] as const;

const PAGE = '200';

/** `?a=b&…`, empty when nothing is asked for. */
function toQuery(filter: Filter): string {
  const pairs = Object.entries(filter).flatMap(([name, value = '']) =>
    (typeof value === 'string' ? [value] : value).filter((each) => each !== '').map((each) => [name, each]),
  );
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
}

/** A list that is read page by page; `key` says what of (its first part is what live events renew). */
function listOf<T>(key: readonly unknown[], path: string, filter: Filter) {
  return infiniteQueryOptions({
    queryKey: [...key, filter],
    queryFn: ({ pageParam, signal }) =>
      call<Page<T>>('GET', `${path}${toQuery({ limit: PAGE, ...filter, cursor: pageParam })}`, { signal }),
    initialPageParam: '',
    getNextPageParam: ({ next_cursor }) => next_cursor ?? undefined,
    placeholderData: keepPreviousData,
  });
}

export const nodesQuery = (filter: Filter) => listOf<NodeView>(['nodes'], '/nodes', filter);

export const nodeQuery = (node: string) =>
  queryOptions({
    queryKey: ['nodes', 'one', node],
    queryFn: ({ signal }) => call<NodeDetail>('GET', `/nodes/${encodeURIComponent(node)}`, { signal }),
  });

/** How many nodes there are in each state. */
export const summaryQuery = () =>
  queryOptions({
    queryKey: ['nodes', 'summary'],
    queryFn: ({ signal }) => call<NodesSummary>('GET', '/node-summary', { signal }),
  });

export const groupsQuery = () =>
  queryOptions({
    queryKey: ['groups'],
    queryFn: ({ signal }) => call<Page<GroupView>>('GET', `/groups?limit=${PAGE}`, { signal }),
  });

/** What a node offers, or the fleet. */
export const actionsQuery = (node?: string) =>
  queryOptions({
    queryKey: ['actions', node ?? null],
    queryFn: async ({ signal }) => {
      const items: ActionView[] = [];
      let cursor: string | null = '';
      while (cursor !== null) {
        const query = toQuery({ limit: PAGE, node, cursor });
        const page: Page<ActionView> = await call('GET', `/actions${query}`, { signal });
        items.push(...page.items);
        cursor = page.next_cursor;
      }
      return items;
    },
  });

export const invocationsQuery = (filter: Filter) => listOf<InvocationView>(['invocations'], '/invocations', filter);

export const invocationQuery = (id: string) =>
  queryOptions({
    queryKey: ['invocations', 'one', id],
    queryFn: ({ signal }) =>
      call<InvocationAnswer>('GET', `/invocations/${encodeURIComponent(id)}`, {
        signal,
        headers: { prefer: 'wait=0' },
      }),
  });

export const executionsQuery = (id: string, filter: Filter) =>
  listOf<ExecutionView>(['executions', id], `/invocations/${encodeURIComponent(id)}/executions`, filter);

/** Executions that ended alike, the most first. */
export const groupedQuery = (id: string, filter: Filter = {}) =>
  queryOptions({
    queryKey: ['executions', id, 'grouped', filter],
    queryFn: ({ signal }) => {
      const query = toQuery({ ...filter, group_by: 'outcome,output', limit: '50' });
      return call<Page<ExecutionGroupView>>('GET', `/invocations/${encodeURIComponent(id)}/executions${query}`, {
        signal,
      });
    },
    placeholderData: keepPreviousData,
  });

export const executionQuery = (id: string, node: string) =>
  queryOptions({
    queryKey: ['executions', id, 'one', node],
    queryFn: ({ signal }) =>
      call<ExecutionView>('GET', `/invocations/${encodeURIComponent(id)}/executions/${encodeURIComponent(node)}`, {
        signal,
      }),
  });

/** What waits for a person, and how far the clock that ends it is ahead of ours. */
export const approvalsQuery = () =>
  queryOptions({
    queryKey: ['approvals'],
    queryFn: async ({ signal }) => {
      const { answer, aheadMs } = await callTimed<Page<InvocationView>>('GET', `/approvals?limit=${PAGE}`, { signal });
      return { ...answer, aheadMs };
    },
  });

/** The first nodes that have a hook of this name, or the one, and how each confines it. */
export const hooksQuery = (name: string, node?: string) =>
  queryOptions({
    queryKey: ['nodes', 'hooks', name, node ?? null],
    queryFn: ({ signal }) => call<Page<HookView>>('GET', `/hooks${toQuery({ name, node, limit: PAGE })}`, { signal }),
  });

export const sandboxQuery = (id: string) =>
  queryOptions({
    queryKey: ['sandboxes', id],
    queryFn: ({ signal }) => call<SandboxView>('GET', `/sandboxes/${encodeURIComponent(id)}`, { signal }),
  });

/** Grants, the newest first, also those that have ended. */
export const grantsQuery = () => listOf<GrantView>(['grants'], '/grants', {});

export const auditQuery = (filter: Filter) => listOf<AuditView>(['audit'], '/audit', filter);

/** What was asked of a node lately. */
export const recentQuery = (node: string) =>
  queryOptions({
    queryKey: ['invocations', 'recent', node],
    queryFn: ({ signal }) =>
      call<Page<InvocationView>>('GET', `/invocations${toQuery({ node, limit: '10' })}`, { signal }),
  });
