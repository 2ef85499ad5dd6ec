import { EVENT_ROLES } from '../../controller/http/event-schemas.js';
import { GrantView } from '../../controller/http/grant-schemas.js';
import { IntegrationView } from '../../controller/http/integration-schemas.js';
import { ApiTokenView, UserView } from '../../controller/http/people-schemas.js';
import { PolicyVersionView } from '../../controller/http/policy-schemas.js';
import { NodeTokenView } from '../../controller/http/polling-schemas.js';
import { SandboxView } from '../../controller/http/sandbox-schemas.js';
import {
  ActionView,
  EnrollmentTokenView,
  GroupView,
  HookView,
  InvocationView,
  NodeView,
} from '../../controller/http/schemas.js';
import { ENDED_STATUSES, INVOCATION_STATUSES } from '../../controller/http/statuses.js';
import { TOPICS } from '../../protocol/topics.js';
import type { Call, Client } from '../client.js';

/** A word that may stand at the cursor, and what it means. */
export type Candidate = Readonly<{ value: string; about: string }>;

/** What is typed already, and the controller to ask; `signal` ends what takes too long. */
export type Asking = Readonly<{ client: Client; args: readonly string[]; signal: AbortSignal }>;

/** Where the values of an option or argument come from: the shell's files, our own words, or the controller. */
export type Source =
  | 'files'
  | 'directories'
  | Readonly<{ words: readonly string[] }>
  | ((asking: Asking) => Promise<readonly Candidate[]>);

/** More than this nobody reads; the controller gives 200 at a time. */
const MAX_LISTED = 2000;
const NEWEST = 50;

const nodes = async ({ client, signal }: Asking) =>
  (await client.list(NodeView, { path: '/nodes', limit: MAX_LISTED, signal })).map(({ node, state }) =>
    toCandidate(node, state.replace('_', ' ')),
  );

const labels = async ({ client, signal }: Asking) =>
  (await client.list(NodeView, { path: '/nodes', limit: MAX_LISTED, signal })).flatMap((node) =>
    Object.entries(node.labels).map(([key, value]) => toCandidate(`${key}=${value}`)),
  );

const groups = async ({ client, signal }: Asking) =>
  (await client.list(GroupView, { path: '/groups', limit: MAX_LISTED, signal })).map(({ group, nodes: count }) =>
    toCandidate(group, `${count} nodes`),
  );

const actions = async (asking: Asking) =>
  (await actionsOf(asking)).map(({ name, description }) => toCandidate(name, description));

const parameters = async (asking: Asking) =>
  (await actionsOf(asking))
    .filter(({ name }) => name === asking.args[0])
    .flatMap((action) => action.parameters)
    .filter(({ name }) => !asking.args.some((word) => word.startsWith(`${name}=`)))
    .map(({ name, description = '' }) => toCandidate(`${name}=`, description));

const hooks = async ({ client, signal }: Asking) =>
  (await client.list(HookView, { path: '/hooks', limit: MAX_LISTED, signal })).map(({ name }) => toCandidate(name));

const invocations = (query: Call['query'] = {}) => invocationsAt('/invocations', query);
const waiting = invocationsAt('/approvals');
const open = invocations({ status: INVOCATION_STATUSES.filter((status) => !ENDED_STATUSES.has(status)).join(',') });

const users = async ({ client, signal }: Asking) =>
  (await client.list(UserView, { path: '/users', limit: MAX_LISTED, signal })).map(({ id, role }) =>
    toCandidate(id, role),
  );

const apiTokens = async ({ client, signal }: Asking) =>
  (await client.list(ApiTokenView, { path: '/tokens', limit: MAX_LISTED, signal })).map(({ id, user, name }) =>
    toCandidate(id, `${name} (${user})`),
  );

const enrollmentTokens = async ({ client, signal }: Asking) =>
  (await client.list(EnrollmentTokenView, { path: '/enrollment-tokens', limit: MAX_LISTED, signal })).map(
    ({ id, expires_at }) => toCandidate(id, `until ${expires_at}`),
  );

const nodeTokens = async ({ client, signal }: Asking) =>
  (await client.list(NodeTokenView, { path: '/node-tokens', limit: MAX_LISTED, signal })).map(({ id, node }) =>
    toCandidate(id, node),
  );

const integrations = async ({ client, signal }: Asking) =>
  (await client.list(IntegrationView, { path: '/integrations', limit: MAX_LISTED, signal })).map(({ name, adapter }) =>
    toCandidate(name, adapter),
  );

const sandboxes = async ({ client, signal }: Asking) =>
  (await client.list(SandboxView, { path: '/sandboxes', limit: MAX_LISTED, signal })).map(({ id, name, status }) =>
    toCandidate(id, `${name}, ${status}`),
  );

const versions = async ({ client, signal }: Asking) =>
  (await client.list(PolicyVersionView, { path: '/policy/versions', limit: NEWEST, signal })).map(
    ({ version, created_at, created_by }) => toCandidate(String(version), `${created_at} by ${created_by}`),
  );

const grants = async ({ client, signal }: Asking) =>
  (await client.list(GrantView, { path: '/grants', limit: MAX_LISTED, signal }))
    .filter(({ state }) => state === 'active')
    .map(({ id, actions: patterns, created_by }) => toCandidate(id, `${patterns.join(' ')} by ${created_by}`));

/**
 * By the name of an option or argument, with the command before it where the name alone does not tell. What is not here
 * is free text.
 */
export const SOURCES: ReadonlyMap<string, Source> = new Map<string, Source>([
  ['--action', actions],
  ['--ca', 'files'],
  ['--config', 'files'],
  ['--data', 'directories'],
  ['--group', groups],
  ['--integration', integrations],
  ['--kind', { words: Object.keys(TOPICS) }],
  ['--label', labels],
  ['--node', nodes],
  ['--sandbox', sandboxes],
  ['--secret-file', 'files'],
  ['--socket', 'files'],
  ['--status', { words: INVOCATION_STATUSES }],
  ['--types', { words: Object.keys(EVENT_ROLES) }],
  ['--user', users],
  ['<file>', 'files'],
  ['<hook>', hooks],
  ['<node>', nodes],
  ['approve <id>', waiting],
  ['cancel <id>', open],
  ['deny <id>', waiting],
  ['enroll-token delete <id>', enrollmentTokens],
  ['events --invocation', invocations()],
  ['grant revoke <id>', grants],
  ['hooks --name', hooks],
  ['integration disable <name>', integrations],
  ['integration enable <name>', integrations],
  ['integration remove <name>', integrations],
  ['integration test <name>', integrations],
  ['node group --add', groups],
  ['node group --remove', groups],
  ['node-token delete <id>', nodeTokens],
  ['policy show <version>', versions],
  ['run <action>', actions],
  ['run <name=value>', parameters],
  ['sandbox delete <id>', sandboxes],
  ['sandbox pause <id>', sandboxes],
  ['sandbox resume <id>', sandboxes],
  ['sandbox show <id>', sandboxes],
  ['sandbox token <id>', sandboxes],
  ['show <id>', invocations()],
  ['token delete <id>', apiTokens],
  ['user delete <name>', users],
  ['user set <name>', users],
]);

/** Options that take several values with commas between. */
export const COMMA_LISTS: ReadonlySet<string> = new Set(['--kind', '--node', '--status', '--types']);

/** The source of the values of an option (`--node`) or argument (`<node>`) of a command; undefined for free text. */
export function sourceOf(path: string, name: string): Source | undefined {
  return SOURCES.get(`${path} ${name}`) ?? SOURCES.get(name);
}

async function actionsOf({ client, signal }: Asking): Promise<readonly ActionView[]> {
  return client.list(ActionView, { path: '/actions', limit: MAX_LISTED, signal });
}

function invocationsAt(path: string, query: Call['query'] = {}) {
  return async ({ client, signal }: Asking): Promise<readonly Candidate[]> =>
    (await client.list(InvocationView, { path, query, limit: NEWEST, signal })).map(({ id, action, status }) =>
      toCandidate(id, `${action}, ${status}`),
    );
}

function toCandidate(value: string, about = ''): Candidate {
  return { value, about };
}
