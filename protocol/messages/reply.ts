import { z } from 'zod';
import { Id, Sha256Hex, Uuid } from '../ids.js';
import { ErrorCodeText } from './result.js';

/** The code in the reply to a `resend` of output that the node no longer has, or has only damaged. */
export const OUTPUT_LOST = 'output_lost';

/** What an agent says of a failed control. */
export const ReplyError = z.object({
  code: ErrorCodeText,
  title: z.string().max(256),
  message: z.string().max(4096),
  suggestion: z.string().max(1024),
  retryable: z.boolean(),
  retry_commands: z.array(z.string().max(1024)).max(16),
});
export type ReplyError = Readonly<z.infer<typeof ReplyError>>;

/** `data` is a JSON object whose members depend on the control's kind; bounded by the packet. */
export const ReplyData = z.record(z.string().max(64), z.unknown());

/** Payload of `muster-reply`. */
export const Reply = z
  .object({
    v: z.literal(1),
    control_id: Uuid,
    control_sha256: Sha256Hex,
    node: Id,
    org: Id,
    ok: z.boolean(),
    data: ReplyData.optional(),
    error: ReplyError.optional(),
  })
  .refine(({ ok, error }) => ok === (error === undefined), 'error stands when ok is false, and only then');
export type Reply = Readonly<z.infer<typeof Reply>>;
