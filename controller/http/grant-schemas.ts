import { z } from 'zod';
import { PositiveDuration } from '../../protocol/durations.js';
import { Id, Time, Uuid } from '../../protocol/ids.js';
import { Selector } from '../../protocol/selectors.js';
import { ActionPattern } from '../policy/glob.js';
import { SandboxId } from './sandbox-schemas.js';

const MAX_PATTERNS = 100;
const MAX_BUDGET = 1_000_000;
/** Each ask that would wait is held against every grant: a longer list of nodes is a group's to be. */
export const MAX_GRANT_NODES = 1_000;

/** How a grant is named in an address. */
export const GrantId = Uuid.describe('Id of a grant, a UUID');

export const GrantScope = z
  .enum(['session', 'org'], 'must be session or org')
  .describe('`session`: asks of the one sandbox; `org`: everybody of the org');
export type GrantScope = z.infer<typeof GrantScope>;

/** How many asks a grant is for: a positive integer, or null for as many as come (S-A-39). */
export const Budget = z
  .int('must be a positive integer or null')
  .min(1, 'must be a positive integer or null')
  .max(MAX_BUDGET, `must be ${MAX_BUDGET} at most, or null`)
  .nullable()
  .default(null);

const GrantTime = PositiveDuration.default('8h').describe('How long it is good for, at most 720h, 30 days');

/** What an approval is to grant beside it: the next asks for the same action and target. */
export const GrantWithApproval = z.strictObject({
  scope: GrantScope.default('session'),
  max_calls: Budget.describe('How many asks more; null: as many as come'),
  expires_in: GrantTime,
});
export type GrantWithApproval = Readonly<z.infer<typeof GrantWithApproval>>;

const Patterns = z
  .array(ActionPattern.refine((pattern) => !pattern.includes('/'), 'must be an action without its integration'))
  .min(1)
  .max(MAX_PATTERNS)
  .describe(
    'Names of actions, each for what stands behind it now; where `*` or `?` stand for others, whatever is called so. Of integrations without the name of the integration',
  );

/** Nodes, of which a covered ask names no others; or an integration, `*` for every one. */
const GrantTarget = z
  .union(
    [...Selector.options, z.strictObject({ integration: z.union([z.literal('*'), Id]) })],
    'must be exactly one of nodes, group, labels, fleet and integration',
  )
  .refine(
    (target) => !('nodes' in target) || target.nodes.length <= MAX_GRANT_NODES,
    `names more than ${MAX_GRANT_NODES} nodes: name a group or labels`,
  );

/** A grant that is made alone. */
export const CreateGrant = z
  .strictObject({
    scope: GrantScope.default('session'),
    sandbox: SandboxId.optional().describe('The one whose asks it is for, with the scope session'),
    target: GrantTarget,
    actions: Patterns,
    max_calls: Budget.describe('How many asks; null: as many as come'),
    expires_in: GrantTime,
  })
  .refine(({ scope, sandbox }) => (scope === 'session') === (sandbox !== undefined), {
    error: 'belongs to the scope session, which needs it',
    path: ['sandbox'],
  });
export type CreateGrant = Readonly<z.infer<typeof CreateGrant>>;

export const GRANT_STATES = ['active', 'used_up', 'expired', 'revoked'] as const;

export const GrantView = z.object({
  id: GrantId,
  state: z.enum(GRANT_STATES),
  scope: GrantScope,
  sandbox: z.string().nullable().describe('Id of the sandbox; null with the scope org'),
  target: z.union([
    ...Selector.options,
    z.object({ integration: z.string().nullable().describe('Its name; `*` for every one, null when it was removed') }),
  ]),
  actions: z.array(z.string()),
  max_calls: z.int().nullable(),
  used: z.int().describe('How many asks it has approved'),
  last_used_at: Time.nullable(),
  expires_at: Time,
  invocation: z.string().nullable().describe('The ask with whose approval it was made'),
  created_at: Time,
  created_by: z.string(),
  revoked_at: Time.nullable(),
  revoked_by: z.string().nullable(),
});
export type GrantView = Readonly<z.infer<typeof GrantView>>;
