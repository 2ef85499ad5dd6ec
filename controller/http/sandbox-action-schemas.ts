import { z } from 'zod';
import { ActionName, Sha256Hex, Time } from '../../protocol/ids.js';
import { Risk } from '../../protocol/messages/capabilities.js';
import { ParameterSpec } from '../../protocol/messages/parameters.js';
import { Budget, GrantScope, GrantWithApproval } from './grant-schemas.js';
import { ActionParam } from './integration-schemas.js';
import { SandboxId } from './sandbox-schemas.js';
import { InvocationStatus, PageQuery } from './schemas.js';

/** Of a node its actions are an integration of this name and `:` and its id. */
export const NODE_INTEGRATION = 'node';

const IntegrationName = z.string().min(1).max(128).describe('Name of an integration; `node:` and the id of a node');

/** The body of `POST /{sandbox_id}/actions/invoke`. */
export const InvokeAction = z.strictObject({
  integration: IntegrationName,
  action: ActionName,
  params: z.record(z.string().max(128), z.unknown()).default({}),
  reason: z.string().max(1024).optional(),
});
export type InvokeAction = Readonly<z.infer<typeof InvokeAction>>;

/**
 * What a caller may say of what it approves; without a digest it is what the invocation is at that moment. With the mode
 * `grant` the next ones like it need no approval (S-A-39).
 */
export const ApproveAction = z
  .strictObject({
    digest: Sha256Hex.optional(),
    mode: z
      .enum(['once', 'grant'], 'Unknown approval mode: must be once or grant')
      .default('once')
      .describe('`once`: this one alone; `grant`: and the next ones for the same action and target'),
    scope: GrantScope.default('session'),
    maxCalls: Budget.describe('How many more; null: as many as come'),
    expiresIn: GrantWithApproval.shape.expires_in,
  })
  .nullish();
export type ApproveAction = Readonly<z.infer<typeof ApproveAction>>;

export const DenyAction = z.strictObject({ reason: z.string().max(1024).optional() }).nullish();

const AvailableParam = z.object({
  name: z.string(),
  type: z.enum([...ParameterSpec.shape.type.unwrap().options, ...ActionParam.shape.type.options]),
  required: z.boolean(),
  default: ParameterSpec.shape.default,
  description: z.string(),
});

/** An action as the sandbox may ask for it. */
const AvailableAction = z.object({
  name: ActionName,
  description: z.string(),
  riskLevel: Risk,
  params: z.array(AvailableParam),
});

/** Integrations come first, so that all of them are on the first page. */
export const AvailableQuery = PageQuery.extend({ limit: z.coerce.number().int().min(1).max(200).default(200) });

export const AvailableIntegration = z.object({
  integrationId: z.string().nullable().describe('Null for a node'),
  integration: IntegrationName,
  actions: z.array(AvailableAction),
});
export type AvailableIntegration = Readonly<z.infer<typeof AvailableIntegration>>;

/** An invocation as the routes below a sandbox show it (A-12…A-28). */
export const ActionInvocation = z.object({
  id: z.string(),
  sessionId: SandboxId,
  organizationId: z.string(),
  integrationId: z.string().nullable(),
  integration: z.string(),
  action: ActionName,
  riskLevel: Risk,
  params: z.record(z.string(), z.unknown()).describe('What looks like a secret by its name is `[redacted]`'),
  status: InvocationStatus,
  result: z.unknown().describe('Null until it has ended, and in lists'),
  error: z.string().nullable(),
  durationMs: z.int().nullable(),
  approvedBy: z.string().nullable().describe('Who approved or denied'),
  approvedAt: Time.nullable(),
  completedAt: Time.nullable(),
  expiresAt: Time.nullable(),
  createdAt: Time,
});
export type ActionInvocation = Readonly<z.infer<typeof ActionInvocation>>;

export const ActionInvocationsQuery = PageQuery;

/** A grant as these routes show it. */
export const ActionGrant = z.object({
  id: z.string(),
  scope: GrantScope,
  sessionId: SandboxId.nullable().describe('Null: it is org-wide'),
  maxCalls: z.int().nullable(),
  expiresAt: Time,
});
export type ActionGrant = Readonly<z.infer<typeof ActionGrant>>;

/** What came of an ask: `message` while it waits or is under way, `result` when it is there. */
export const InvokeAnswer = z.object({
  invocation: ActionInvocation,
  result: z.unknown().optional(),
  message: z.string().optional(),
  error: z.string().optional(),
  grant: ActionGrant.optional().describe('What was granted with the approval'),
});
export type InvokeAnswer = Readonly<z.infer<typeof InvokeAnswer>>;

/** A problem with the sentence that callers of these routes look for. */
export const ActionFailure = z.looseObject({ error: z.string(), status: z.int(), code: z.string() });
