import type { z } from 'zod';
import { MusterError } from '../../../protocol/errors.js';
import type { Mask } from '../../../runtime/masking/mask.js';

/**
 * What an engine told, without registered values: before anything of it is cut, since of a value that was cut nobody
 * could tell that it is one, and since a mark may be longer than its value.
 * @throws {MusterError} engine_answer_invalid: a registered value stands where it says what is what
 */
export function withoutSecrets<S extends z.ZodType>(mask: Mask, schema: S, told: z.infer<S>): z.infer<S> {
  const shown = mask.json(told);
  if (shown === told) return told;
  const parsed = schema.safeParse(shown);
  if (parsed.success) return parsed.data;
  throw new MusterError(
    'engine_answer_invalid',
    'The answer of the engine makes no sense without a registered secret.',
  );
}
