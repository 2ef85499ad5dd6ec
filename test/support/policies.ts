import { PolicyDocument } from '../../controller/policy/document.js';
import { OWNER, type TestCore } from './core.js';

/** Puts a policy in force, whatever was before; what is left out is as shipped. */
export async function setPolicy({ core }: TestCore, policy: object): Promise<void> {
  await core.services.policy.replace(OWNER, PolicyDocument.parse({ v: 1, ...policy }), () => true);
}
