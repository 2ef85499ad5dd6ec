import type { EnrollmentService } from '../services.js';
import { createEnroll, type EnrollDeps } from './enroll.js';
import { createRenewal } from './renew.js';
import { createEnrollmentTokens } from './tokens.js';

/** How nodes come in and stay in. */
export function createEnrollmentService(deps: EnrollDeps): EnrollmentService {
  return { ...createEnrollmentTokens(deps), enroll: createEnroll(deps), ...createRenewal(deps) };
}
