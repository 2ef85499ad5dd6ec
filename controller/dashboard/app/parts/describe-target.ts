import { describeSelector } from '../../../../protocol/describe-selector.js';
import type { InvocationTarget } from '../../../http/target-schemas.js';

/** Of whom something is asked, in words. */
export function describeTarget(target: InvocationTarget): string {
  return 'integration' in target ? `the integration ${target.integration}` : describeSelector(target);
}
