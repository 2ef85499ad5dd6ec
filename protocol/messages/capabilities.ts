import { z } from 'zod';
import { ActionName, Id, Sha256Hex } from '../ids.js';
import { ParameterSpec } from './parameters.js';

export const Risk = z.enum(['read', 'write', 'danger']);
export type Risk = z.infer<typeof Risk>;

/** The largest `concurrency` of an action. */
export const MAX_CONCURRENCY = 1000;

export const ActionSpec = z.object({
  name: ActionName,
  description: z.string().max(1024),
  risk: Risk.optional().describe('May raise what the policy says, never lower it'),
  parameters: z.array(ParameterSpec).max(64),
  timeout: z.string().max(64).optional(),
  concurrency: z
    .int()
    .min(1)
    .max(MAX_CONCURRENCY)
    .optional()
    .describe('So many executions of it run at once on the node; more are refused with max_concurrent_reached'),
});
export type ActionSpec = Readonly<z.infer<typeof ActionSpec>>;

/** At most this many paths may be writable inside the sandbox of one hook. */
export const MAX_WRITABLE_PATHS = 16;

export const HookSpec = ActionSpec.extend({
  source: z.string().max(64).describe('local: found in agent.hooks_dir'),
  checksum: Sha256Hex,
  sandbox: z.string().max(64),
  network: z.boolean().optional().describe('True: its sandbox has the network of the node'),
  writable: z
    .array(z.string().max(1024))
    .max(MAX_WRITABLE_PATHS)
    .optional()
    .describe('Paths of the node that its sandbox may write'),
  fault: z.string().max(256).optional().describe('What is wrong with its file or sidecar, for people'),
});
export type HookSpec = Readonly<z.infer<typeof HookSpec>>;

/** Payload of `muster-capabilities` (P-93). */
export const Capabilities = z.object({
  v: z.literal(1),
  node: Id,
  org: Id,
  binary: z
    .object({ name: z.string().max(64), version: z.string().max(64), sha256: Sha256Hex.or(z.literal('')) })
    .optional(),
  builtin_actions: z.array(ActionSpec).max(200),
  hooks: z.array(HookSpec).max(500),
  containers: z.array(z.record(z.string().max(64), z.unknown())).max(500),
  terminals: z.array(z.record(z.string().max(64), z.unknown())).max(100),
  limits: z
    .record(z.string().max(64), z.union([z.number(), z.string().max(256), z.boolean()]))
    .describe('Bounds of the node; `process_isolation`: `cgroup`, `pid_namespace` or `process_group`'),
});
export type Capabilities = Readonly<z.infer<typeof Capabilities>>;
