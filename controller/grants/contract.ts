import type { CreateGrant, GrantView } from '../http/grant-schemas.js';
import type { Page, PageRequest, Principal } from '../services.js';
import type { Once } from '../store/made-once.js';

/** Approvals that are given beforehand. Every change is in force when it resolves; each throws {MusterError} storage_failed, too. */
export type GrantService = Readonly<{
  /**
   * For asks that are still to come.
   * @throws {MusterError} forbidden (a sandbox), not_found (no such sandbox), unknown_integration, invalid_request,
   *   conflict (too many are active), idempotency_conflict
   */
  create: (principal: Principal, ask: CreateGrant, once?: Once) => Promise<GrantView>;
  /** Newest first. @throws {MusterError} invalid_request (the cursor) */
  list: (org: string, page: PageRequest) => Promise<Page<GrantView>>;
  get: (org: string, id: string) => Promise<GrantView | undefined>;
  /** The one that was made with the approval of this ask. */
  ofInvocation: (org: string, invocation: string) => Promise<GrantView | undefined>;
  /** It approves nothing more; again is the same. Undefined when there is no such grant. */
  revoke: (principal: Principal, id: string) => Promise<GrantView | undefined>;
}>;
