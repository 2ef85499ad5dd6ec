import type {
  AskIntegration,
  ChangeIntegration,
  CreateIntegration,
  IntegrationTest,
  IntegrationView,
} from '../http/integration-schemas.js';
import type { InvocationPreview, InvocationView } from '../http/schemas.js';
import type { InvocationService, Page, PageRequest, Principal } from '../services.js';

/** Systems outside of the fleet that the controller acts in, with credentials that no caller sees. */
export type IntegrationService = Readonly<{
  /** By name. @throws {MusterError} invalid_request (the cursor) */
  list: (org: string, page: PageRequest) => Promise<Page<IntegrationView>>;
  get: (org: string, name: string) => Promise<IntegrationView | undefined>;
  /** Those that may be asked now, with their actions, by name (S-A-34). */
  available: (org: string) => Promise<readonly IntegrationView[]>;
  /**
   * Seals the credential and keeps it; nothing gives it back.
   * @throws {MusterError} conflict (the name is taken), invalid_request (adapter, address, key), storage_failed
   */
  add: (principal: Principal, ask: CreateIntegration) => Promise<IntegrationView>;
  /** Undefined when there is none such. @throws {MusterError} storage_failed */
  change: (principal: Principal, name: string, change: ChangeIntegration) => Promise<IntegrationView | undefined>;
  /** What was asked of it stays; what waits for it fails when it is approved. False when there is none such. */
  remove: (principal: Principal, name: string) => Promise<boolean>;
  /** Gets a token and asks the system for something that changes nothing. Undefined when there is none such. */
  test: (principal: Principal, name: string) => Promise<IntegrationTest | undefined>;
  /** What `invoke` would come to now; nothing is stored. @throws {MusterError} what `invoke` throws of the ask */
  preview: (principal: Principal, ask: AskIntegration) => Promise<InvocationPreview>;
  /**
   * Stores the ask, whatever becomes of it: `denied` by the policy, `pending` for a person, or `executing`, which has
   * begun when this resolves. `InvocationService.whenDone` waits for the end, within controller.integration_timeout, and
   * `resultOf` has the answer. `approve`, `deny` and `cancel` of the invocation service are for these, too.
   * @throws {MusterError} unknown_integration, unknown_action, missing_required_parameter, invalid_parameter,
   *   plan_changed, forbidden, confirmation_required, rate_limited, too_many_pending, too_many_open,
   *   idempotency_conflict, overloaded, storage_failed; denied_by_policy when that was the answer under the same key
   */
  invoke: (
    principal: Principal,
    ask: AskIntegration,
    request: Parameters<InvocationService['create']>[2],
  ) => Promise<Readonly<{ invocation: InvocationView; replayed: boolean }>>;
}>;
