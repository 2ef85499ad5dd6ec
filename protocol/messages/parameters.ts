import { z } from 'zod';

/** At most this many bytes of parameters in one request, counted as JSON. */
export const MAX_PARAMETERS_BYTES = 64 * 1024;

/** A parameter's name. It may hold any printable character; hooks see it sanitised (P-78). */
export const ParameterName = z.string().regex(/^[^\p{C}]{1,63}$/u, 'must be 1 to 63 printable characters');

export const ParameterValue = z.union(
  [z.string().max(MAX_PARAMETERS_BYTES), z.number(), z.boolean()],
  'must be a string, a number or a boolean',
);
export type ParameterValue = z.infer<typeof ParameterValue>;

/** Name → value, at most 64 entries and 64 KiB in all. */
export const Parameters = z
  .record(ParameterName, ParameterValue)
  .refine((parameters) => Object.keys(parameters).length <= 64, 'at most 64 parameters')
  .refine(
    (parameters) => Buffer.byteLength(JSON.stringify(parameters)) <= MAX_PARAMETERS_BYTES,
    'at most 64 KiB in all',
  );
export type Parameters = Readonly<z.infer<typeof Parameters>>;

/** What an action says of one of its parameters (A-41, P-76). */
export const ParameterSpec = z.object({
  name: ParameterName,
  type: z.enum(['string', 'number', 'boolean', 'integer', 'ip']).default('string'),
  required: z.boolean().default(false),
  default: ParameterValue.optional(),
  description: z.string().max(1024).default(''),
});
export type ParameterSpec = Readonly<z.infer<typeof ParameterSpec>>;
