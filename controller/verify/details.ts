import type { z } from 'zod';

/** Row and record carry times that were taken one after the other; after a cut the first hour is not compared. */
export const CUT_MARGIN_MS = 3_600_000;

/** Details of a row as they should be; undefined when they are not, which the chain or the record tells. */
export function readDetails<S extends z.ZodType>(schema: S, details: string): z.infer<S> | undefined {
  try {
    return schema.safeParse(JSON.parse(details)).data;
  } catch {
    return undefined;
  }
}
