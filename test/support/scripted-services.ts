import { setTimeout as delay } from 'node:timers/promises';
import type { PolicyView } from '../../controller/http/policy-schemas.js';
import { Counts, type CreateInvocation, type InvocationView } from '../../controller/http/schemas.js';
import { EXECUTION_STATUSES } from '../../controller/http/statuses.js';
import { SHIPPED_POLICY } from '../../controller/policy/document.js';
import type { Role, Services } from '../../controller/services.js';
import { MusterError } from '../../protocol/errors.js';
import { NO_MASK } from '../../runtime/masking/mask.js';

/** Services that keep everything in memory and do as a test says: the HTTP face gets them as it gets the real ones. */
export type ScriptedServices = Readonly<{
  services: Services;
  /** Every invocation that was created, in order. */
  created: InvocationView[];
  /** How many calls wait for an invocation to end. */
  waiting: () => number;
  /** Ends an invocation with this status and tells who waits. */
  end: (id: string, status: InvocationView['status']) => void;
}>;

/** The bearer token that stands for a role. */
export function tokenOf(role: Role): string {
  return `mst_${role}_secret`;
}

const ROLES: readonly Role[] = ['viewer', 'operator', 'admin', 'owner'];
const EMPTY_PAGE = { items: [], next_cursor: null };
const EXAMPLE_POLICY: PolicyView = {
  ...{ version: 0, source: 'shipped', sha256: '0'.repeat(64), created_at: null, created_by: null },
  ...{ policy: SHIPPED_POLICY, shipped_risks: [] },
};

export function createScriptedServices({
  notReady,
  outputOf,
  onCreate,
}: {
  notReady?: () => string | undefined;
  outputOf?: Services['invocations']['outputOf'];
  /** Called before an ask is stored; may throw. */
  onCreate?: (ask: CreateInvocation, request: Readonly<{ bodySha256: string }>) => void;
} = {}): ScriptedServices {
  const created: InvocationView[] = [];
  const waiters = new Set<() => void>();
  const find = (id: string): InvocationView | undefined => created.find((each) => each.id === id);

  const services: Services = {
    org: 'default',
    mask: NO_MASK,
    async authenticate(bearer) {
      const role = ROLES.find((each) => tokenOf(each) === bearer);
      return role === undefined ? undefined : { id: `the-${role}`, org: 'default', role };
    },
    nodes: {
      list: async () => EMPTY_PAGE,
      summary: async () => ({ total: 0, online: 0, offline: 0, never_seen: 0 }),
      get: async () => undefined,
      change: async () => undefined,
      remove: async () => false,
      groups: async () => [{ group: 'pumps', nodes: 2 }],
      actions: async (_org, node) => {
        if (node !== undefined) throw new MusterError('unknown_node', `No node ${node} is enrolled`);
        return [];
      },
    },
    hooks: { list: async () => EMPTY_PAGE, accept: async () => undefined },
    invocations: {
      async create({ id }, ask, request) {
        onCreate?.(ask, request);
        const invocation = exampleInvocation(created.length, ask, id);
        created.push(invocation);
        return { invocation, replayed: false };
      },
      preview: async () => Promise.reject(new MusterError('plan_changed', 'Not scripted')),
      get: async (_org, id) => find(id),
      parametersOf: async (_org, id) => find(id)?.parameters,
      resultOf: async () => undefined,
      cancel: async (_principal, id) => find(id),
      approve: async (_principal, id) => find(id),
      deny: async (_principal, id) => find(id),
      pending: async () => EMPTY_PAGE,
      list: async () => ({ items: created, next_cursor: null }),
      executions: async (_org, id) => (find(id) === undefined ? undefined : EMPTY_PAGE),
      executionGroups: async (_org, id) => (find(id) === undefined ? undefined : EMPTY_PAGE),
      execution: async () => undefined,
      outputOf: outputOf ?? (async () => undefined),
      whenDone: (_org, id, { ms, signal }) =>
        new Promise((resolve) => {
          const finish = (): void => {
            clearTimeout(timer);
            signal?.removeEventListener('abort', finish);
            waiters.delete(finish);
            resolve(find(id));
          };
          const timer = setTimeout(finish, ms);
          signal?.addEventListener('abort', finish);
          waiters.add(finish);
          if (signal?.aborted) finish();
        }),
    },
    integrations: {
      list: async () => EMPTY_PAGE,
      get: async () => undefined,
      available: async () => [],
      add: async () => Promise.reject(new MusterError('conflict', 'The name sentry is taken')),
      change: async () => undefined,
      remove: async () => false,
      test: async () => undefined,
      preview: async () => Promise.reject(new MusterError('unknown_integration', 'There is no active integration')),
      invoke: async () => Promise.reject(new MusterError('unknown_integration', 'There is no active integration')),
    },
    policy: {
      read: async () => EXAMPLE_POLICY,
      readVersion: async () => undefined,
      versions: async () => EMPTY_PAGE,
      replace: async () => EXAMPLE_POLICY,
    },
    enrollment: {
      createToken: async () => Promise.reject(new MusterError('storage_failed', 'SQLITE_FULL at /secret/muster.db')),
      listTokens: async () => EMPTY_PAGE,
      deleteToken: async (_principal, id) => id === 'known0token',
      enroll: async () => Promise.reject(new MusterError('enrollment_token_invalid', 'The token is unknown')),
      nonce: () => ({ nonce: '018f2a10-0000-4000-8000-000000000000', expires_at: '2026-01-01T00:01:00.000Z' }),
      renew: async () => Promise.reject(new Error('a fault at /secret/place: SELECT * FROM nodes')),
    },
    people: {
      listUsers: async () => EMPTY_PAGE,
      createUser: async () => Promise.reject(new MusterError('conflict', 'There is a user ann already')),
      changeUser: async () => undefined,
      deleteUser: async () => false,
      changePassword: async () => undefined,
    },
    tokens: {
      create: async () =>
        Promise.reject(new MusterError('forbidden', 'A token for somebody else needs the role admin')),
      list: async () => EMPTY_PAGE,
      delete: async () => false,
      login: async () => Promise.reject(new MusterError('unauthenticated', 'The name or the password is wrong')),
      logout: async () => undefined,
    },
    signIn: undefined,
    sessions: {
      publicOrigin: undefined,
      methods: { password: true, oidc: false },
      begin: async () => Promise.reject(new MusterError('unauthenticated', 'The name or the password is wrong')),
      end: async () => 'muster-session=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict',
      createLink: async () => ({ code: '0'.repeat(64), expires_at: '2026-01-01T00:02:00.000Z' }),
      tokenIn: () => undefined,
    },
    sandboxes: {
      create: async () => Promise.reject(new MusterError('conflict', 'There is a sandbox ci already')),
      list: async () => EMPTY_PAGE,
      get: async () => undefined,
      change: async () => undefined,
      replaceToken: async () => undefined,
      asPrincipal: async () => undefined,
      delete: async () => false,
    },
    grants: {
      create: async () => Promise.reject(new MusterError('unknown_integration', 'There is no integration sentry')),
      list: async () => EMPTY_PAGE,
      get: async () => undefined,
      ofInvocation: async () => undefined,
      revoke: async () => undefined,
    },
    seenBy: () => services,
    mcp: { hosts: [] },
    containers: {
      ask: async () => Promise.reject(new MusterError('not_found', 'No node announces such a container')),
      whenDone: async () => undefined,
    },
    polling: {
      createToken: async () => Promise.reject(new MusterError('node_id_taken', 'There is a node with a key')),
      listTokens: async () => EMPTY_PAGE,
      deleteToken: async () => false,
      authenticate: async (bearer) => (bearer === 'mnt_node_secret' ? { node: 'kiosk-1', org: 'default' } : undefined),
      queue: async () => 'default:kiosk-1:1',
      fetch: async () => [],
      ack: async () => Promise.reject(new MusterError('not_found', 'There is no such action for this node')),
      report: async () => Promise.reject(new MusterError('not_found', 'There is no such action for this node')),
      announce: async () => undefined,
    },
    brokerLists: { keys: () => 'a.b.c', revocations: () => 'd.e.f' },
    brokerCredentials: { issue: async () => Promise.reject(new MusterError('overloaded', 'Too many writes')) },
    events: {
      open: async () => ({ head: 0, close: () => undefined }),
      head: async () => 0,
      read: async (after) => ({ events: [], last: after }),
      changed: async (_after, { ms, signal }) => delay(ms, undefined, { signal }).catch(() => undefined),
    },
    audit: {
      list: async () => EMPTY_PAGE,
      verify: async () => Promise.reject(new MusterError('conflict', 'Somebody is verifying already')),
    },
    suspension: {
      read: () => ({ suspended: false, since: null, node: null }),
      resume: async () => Promise.reject(new MusterError('conflict', 'Nothing is suspended')),
    },
    ready: 'ok',
    notReady: notReady ?? (() => undefined),
    metrics: async () => ({ body: 'muster_controller_nodes 0\n', contentType: 'text/plain; version=0.0.4' }),
  };

  return {
    services,
    created,
    waiting: () => waiters.size,
    end(id, status) {
      const at = created.findIndex((each) => each.id === id);
      const before = created[at];
      if (before === undefined) throw new Error(`no invocation ${id}`);
      created[at] = { ...before, status, completed_at: '2026-01-01T00:00:01.000Z' };
      for (const wake of [...waiters]) wake();
    },
  };
}

/** An invocation as the API shows it, `executing`. */
export function exampleInvocation(index: number, ask: CreateInvocation, createdBy = 'owner'): InvocationView {
  const none = Object.fromEntries(EXECUTION_STATUSES.map((status) => [status, 0]));
  return {
    id: `018f2a10-0000-7000-8000-${String(index).padStart(12, '0')}`,
    status: 'executing',
    origin: 'api',
    action: ask.action,
    target: ask.target,
    nodes: 1,
    parameters: ask.parameters,
    risk: 'read',
    timeout: ask.timeout ?? '30s',
    reason: ask.reason ?? null,
    created_at: '2026-01-01T00:00:00.000Z',
    created_by: createdBy,
    approved_by: null,
    approved_at: null,
    expires_at: '2026-01-02T00:00:00.000Z',
    completed_at: null,
    duration_ms: null,
    digest: '0'.repeat(64),
    counts: Counts.parse({ ...none, accepted: 1, total: 1 }),
    error: null,
    error_code: null,
    integration_id: null,
    cancel_requested_at: null,
    cancel_requested_by: null,
    batch: null,
  };
}

/** The same services with some of them replaced, also for who sees them all. */
export function replaceServices(services: Services, replaced: Partial<Services>): Services {
  const changed: Services = { ...services, ...replaced, seenBy: () => changed };
  return changed;
}
