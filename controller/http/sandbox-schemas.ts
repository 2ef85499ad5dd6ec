import { z } from 'zod';
import { PositiveDuration } from '../../protocol/durations.js';
import { Id, Time, Uuid } from '../../protocol/ids.js';
import { Selector } from '../../protocol/selectors.js';
import { ActionPattern } from '../policy/glob.js';

const MAX_CONNECTIONS = 50;
const MAX_PATTERNS = 100;

/** How a sandbox is named in an address. */
export const SandboxId = Uuid.describe('Id of a sandbox, a UUID');

export const SandboxStatus = z
  .enum(['running', 'paused'])
  .describe('`paused`: it may read what it asked for, and asks for nothing');
export type SandboxStatus = z.infer<typeof SandboxStatus>;

const Patterns = z
  .array(ActionPattern)
  .min(1)
  .max(MAX_PATTERNS)
  .describe('Patterns of action names; what none of them names is not there for the sandbox');

/** Nodes, and the actions that may be asked for there. What changes something still waits for a person. */
export const NodeConnection = z.strictObject({
  target: Selector.describe('Nodes: by name, of a group, with labels, or the fleet'),
  actions: Patterns.default(['*']),
});
export type NodeConnection = Readonly<z.infer<typeof NodeConnection>>;

/** An integration, and the actions that may be asked of it. */
export const IntegrationConnection = z.strictObject({
  integration: Id.describe('Name of an integration'),
  actions: Patterns.default(['*']),
});
export type IntegrationConnection = Readonly<z.infer<typeof IntegrationConnection>>;

const Connection = z.union([NodeConnection, IntegrationConnection], 'must name either a target or an integration');

export const CreateSandbox = z.strictObject({
  name: Id.describe('What it is called; no other sandbox of the org is called so'),
  connections: z.array(Connection).min(1).max(MAX_CONNECTIONS).refine(namesEachOnce, 'names an integration twice'),
  expires_in: PositiveDuration.optional().describe(
    'How long its token lives, at most 8784h, a year; 2160h when absent',
  ),
});
export type CreateSandbox = Readonly<z.infer<typeof CreateSandbox>>;

export const ChangeSandbox = z.strictObject({ status: SandboxStatus });
export type ChangeSandbox = Readonly<z.infer<typeof ChangeSandbox>>;

/** A new token for a sandbox that is there. */
export const ReplaceSandboxToken = z.strictObject({ expires_in: CreateSandbox.shape.expires_in });
export type ReplaceSandboxToken = Readonly<z.infer<typeof ReplaceSandboxToken>>;

export const SandboxView = z.object({
  id: SandboxId,
  name: Id,
  status: SandboxStatus,
  connections: z.array(
    z.union([
      NodeConnection.extend({ id: z.string() }),
      IntegrationConnection.extend({
        id: z.string(),
        integration: Id.nullable().describe('Null when the integration was removed'),
        integration_id: z.string(),
      }),
    ]),
  ),
  created_at: Time,
  created_by: z.string(),
  expires_at: Time.nullable().describe('When its token ends'),
});
export type SandboxView = Readonly<z.infer<typeof SandboxView>>;

/** The one time that the token itself is shown. */
export const SandboxCreated = SandboxView.extend({ token: z.string() });
export type SandboxCreated = Readonly<z.infer<typeof SandboxCreated>>;

function namesEachOnce(connections: readonly z.infer<typeof Connection>[]): boolean {
  const names = connections.flatMap((each) => ('integration' in each ? each.integration : []));
  return new Set(names).size === names.length;
}
