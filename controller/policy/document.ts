import { z } from 'zod';
import { parseDuration } from '../../protocol/durations.js';
import { Risk } from '../../protocol/messages/capabilities.js';
import { Labels } from '../../protocol/selectors.js';
import { UserId } from '../http/people-schemas.js';
import { ActionPattern } from './glob.js';

/** What a policy takes at most, as YAML and as JSON. */
export const MAX_POLICY_BYTES = 64 * 1024;

const MAX_RULES = 200;
const MAX_PATTERNS = 100;
const MAX_USERS = 100;
const MIN_APPROVAL_MS = 10_000;
const MAX_APPROVAL_MS = 7 * 24 * 3_600_000;

const Patterns = z.array(ActionPattern).min(1).max(MAX_PATTERNS);
const Kind = z
  .enum(['builtin', 'hook', 'integration'])
  .describe(
    'Only built-ins, only hooks, or only actions of integrations, which are named INTEGRATION/ACTION; all when absent',
  );
const Users = z.array(UserId).min(1).max(MAX_USERS);

/** What actions of these names may do; the first rule that fits counts. */
export const RiskRule = z.strictObject({
  actions: Patterns.describe('Patterns of action names'),
  kind: Kind.optional(),
  risk: Risk.describe(
    'For integrations a rule without `kind: integration` only raises what the adapter says. `read` runs at once, `write` waits for a person, `danger` is denied unless a rule of `access` names who may approve it',
  ),
});
export type RiskRule = Readonly<z.infer<typeof RiskRule>>;

const Askers = z
  .strictObject({
    role: z.enum(['operator', 'admin', 'owner']).optional().describe('Everybody with at least this role'),
    users: Users.optional().describe('And these users, if they are operators at least'),
  })
  .refine(namesSomebody, 'must name a role or users');

const Approvers = z
  .strictObject({
    role: z.enum(['admin', 'owner']).optional().describe('Everybody with at least this role'),
    users: Users.optional().describe('And these users, if they are admins or owners'),
  })
  .refine(namesSomebody, 'must name a role or users');

/** Who may ask for actions and who may approve them; the first rule that fits counts, and what it leaves out is as without it. */
export const AccessRule = z.strictObject({
  actions: Patterns.default(['*']).describe('Patterns of action names'),
  kind: Kind.optional(),
  risks: z
    .array(Risk)
    .min(1)
    .max(3)
    .default(['read', 'write'])
    .describe('Only actions of these risks; a rule speaks of `danger` only when it says so here'),
  ask: Askers.optional().describe('Who may ask; operators, admins and owners when absent'),
  approve: Approvers.optional().describe('Who may approve; admins and owners when absent, and nobody for `danger`'),
  distinct_approver: z
    .boolean()
    .optional()
    .describe(
      'True: whoever asks, or made the token for it, may not approve it; when absent true for `danger`, else as said for all',
    ),
});
export type AccessRule = Readonly<z.infer<typeof AccessRule>>;

/** What is asked of nodes or containers with these labels and does not only read needs a reason and an asker of that role. */
export const ProtectionRule = z.strictObject({
  labels: Labels.refine((labels) => Object.keys(labels).length > 0, 'must name a label').describe(
    'Nodes that carry all of these labels, and containers that do, when the ask names one in its parameter `container`',
  ),
  actions: Patterns.default(['*']).describe('Patterns of action names'),
  role: z.enum(['operator', 'admin', 'owner']).default('admin').describe('The least role of whoever asks'),
});
export type ProtectionRule = Readonly<z.infer<typeof ProtectionRule>>;

const Limits = z.strictObject({
  asks_per_minute: z
    .int()
    .min(1)
    .max(100_000)
    .optional()
    .describe('Invocations that one principal may make within 60 s; as many as it likes when absent'),
  pending_per_principal: z
    .int()
    .min(1)
    .max(1000)
    .default(10)
    .describe('Asks of one principal that may wait for a person'),
  open_per_node: z
    .int()
    .min(1)
    .max(100_000)
    .optional()
    .describe('Open executions of a node, where that is less than controller.max_open_per_node'),
});

/** What an org has decided about its actions. docs/reference/policy.md is made from the descriptions. */
export const PolicyDocument = z.strictObject({
  v: z.literal(1).describe('Version of this format'),
  risks: z.array(RiskRule).max(MAX_RULES).default([]).describe('What actions may do, before the shipped rules'),
  access: z.array(AccessRule).max(MAX_RULES).default([]).describe('Who may ask and who may approve'),
  protected: z.array(ProtectionRule).max(MAX_RULES).default([]).describe('Nodes and containers that need a reason'),
  approval_time: z
    .string()
    .max(64)
    .refine(isApprovalTime, 'must be a duration from 10s to 168h')
    .default('5m')
    .describe('How long an ask waits for a person, 10s to 168h'),
  distinct_approver: z
    .boolean()
    .default(false)
    .describe(
      'True: nobody approves what they asked for, with whichever token, nor what was asked with a token that they made',
    ),
  limits: Limits.prefault({}).describe('What is refused with 429'),
});
export type PolicyDocument = Readonly<z.infer<typeof PolicyDocument>>;

/** The policy of an org that has not decided anything. */
export const SHIPPED_POLICY: PolicyDocument = PolicyDocument.parse({ v: 1 });

function namesSomebody({ role, users }: { role?: string | undefined; users?: readonly string[] | undefined }): boolean {
  return role !== undefined || users !== undefined;
}

function isApprovalTime(text: string): boolean {
  const ms = parseDuration(text) ?? 0;
  return ms >= MIN_APPROVAL_MS && ms <= MAX_APPROVAL_MS;
}
