import { z } from 'zod';
import { PositiveDuration } from '../../protocol/durations.js';
import { ERROR_CODES, type ErrorCode } from '../../protocol/errors.js';
import { ActionName, ExecutionId, Id, Time } from '../../protocol/ids.js';
import { ActionSpec, HookSpec } from '../../protocol/messages/capabilities.js';
import { Output } from '../../protocol/messages/output.js';
import { Parameters } from '../../protocol/messages/parameters.js';
import { Result } from '../../protocol/messages/result.js';
import { OUTCOMES } from '../../protocol/outcomes.js';
import { PROOF_NAME } from './proof.js';

/** The longest line that a caller may send: 64 KiB of parameters and what stands around them. */
export const MAX_ASK_BYTES = 128 * 1024;
/** The longest line that an agent sends. */
export const MAX_ANSWER_BYTES = 1024 * 1024;

export const RunAsk = z.strictObject({
  kind: z.literal('run'),
  action: ActionName,
  parameters: Parameters,
  timeout: PositiveDuration.optional(),
  stream: z.boolean().default(false).describe('Send the output while it runs'),
  reason: z.string().max(1024).optional(),
});
export type RunAsk = Readonly<z.infer<typeof RunAsk>>;

/** What may be asked. */
export const Ask = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('status') }),
  z.strictObject({ kind: z.literal('actions') }),
  RunAsk,
]);
export type Ask = Readonly<z.infer<typeof Ask>>;

/** The first line of a caller: who it is, and what it wants. */
export const Opening = z.strictObject({ v: z.literal(1), proof: z.string().regex(PROOF_NAME), ask: Ask });

/** The only other line: end what I have asked for. */
export const Cancelling = z.strictObject({ v: z.literal(1), cancel: z.literal(true) });

/** An execution of local origin, as `status` lists it. */
const LocalExecution = z.object({
  execution_id: ExecutionId,
  action: ActionName,
  by: z.string(),
  status: z.enum(OUTCOMES),
  finished_at: Time,
  receipted: z.boolean().describe('The controller holds it'),
});
export type LocalExecution = Readonly<z.infer<typeof LocalExecution>>;

/** How an agent is. */
export const LocalStatus = z.object({
  node: Id,
  org: Id,
  version: z.string(),
  pid: z.int(),
  started_at: Time,
  uptime_seconds: z.number(),
  broker: z.object({ url: z.string(), connected_since: Time.nullable() }),
  last_welcome: Time.nullable(),
  last_refusal: z.object({ code: z.string(), at: Time }).nullable().describe('The newest message not believed'),
  controller_keys: z.object({ version: z.int(), not_after: Time }),
  journal: z.object({
    epoch: Time.nullable(),
    starts: z.int(),
    unreceipted: z.int().describe('Results that the controller does not hold yet'),
    bytes: z.int(),
    max_bytes: z.int(),
  }),
  actions: z.object({
    enabled: z.boolean(),
    max_concurrent: z.int(),
    isolation: z.string(),
    reads_only_until: Time.nullable().default(null).describe('After too many restarts only reading actions are taken'),
  }),
  running: z.array(
    z.object({
      execution_id: ExecutionId,
      action: ActionName,
      by: z.string().nullable(),
      origin: z.enum(['api', 'local']),
    }),
  ),
  local: z.array(LocalExecution).describe('What was run here lately, the newest first'),
});
export type LocalStatus = Readonly<z.infer<typeof LocalStatus>>;

const Code = z.string().refine((code): code is ErrorCode => Object.hasOwn(ERROR_CODES, code));

/** What an agent says. */
export const Answer = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('challenge'), v: z.literal(1), nonce: z.string().max(64) }),
  z.object({ kind: z.literal('refused'), code: Code, message: z.string() }),
  z.object({ kind: z.literal('status'), status: LocalStatus }),
  z.object({ kind: z.literal('actions'), builtins: z.array(ActionSpec), hooks: z.array(HookSpec) }),
  z.object({ kind: z.literal('accepted'), execution_id: ExecutionId }),
  z.object({ kind: z.literal('output'), piece: Output }),
  z.object({ kind: z.literal('result'), result: Result }),
]);
export type Answer = Readonly<z.infer<typeof Answer>>;
