import { z } from 'zod';
import { Sha256Hex, Time } from '../../protocol/ids.js';
import { PolicyDocument, RiskRule } from '../policy/document.js';

/** How a version of a policy is named in an address. */
export const PolicyVersionNumber = z
  .string()
  .regex(/^\d{1,9}$/)
  .describe('Number of a version');

/** A version of a policy without what it says. */
export const PolicyVersionView = z.object({
  version: z.int().describe('Counts from 1; 0 is the shipped policy'),
  source: z.enum(['shipped', 'file', 'api']).describe('Where it came from'),
  sha256: Sha256Hex.describe('Of the policy as it is stored; the audit log names it'),
  created_at: Time.nullable(),
  created_by: z.string().nullable(),
});
export type PolicyVersionView = Readonly<z.infer<typeof PolicyVersionView>>;

export const PolicyView = PolicyVersionView.extend({
  policy: PolicyDocument,
  shipped_risks: z.array(RiskRule).describe('What counts after `risks` of the policy; what neither names is `write`'),
});
export type PolicyView = Readonly<z.infer<typeof PolicyView>>;

/** By which a caller says what it has seen: nobody's change is overwritten unseen. */
export const IfMatchHeaders = z.looseObject({
  'if-match': z.string().max(256).optional().describe('The ETag of the policy that is replaced, or `*`'),
});
