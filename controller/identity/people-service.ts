import type {
  ApiTokenCreated,
  ApiTokenView,
  ChangePassword,
  ChangeUser,
  CreateApiToken,
  CreateUser,
  Login,
  UserView,
} from '../http/people-schemas.js';
import type { Page, PageRequest, Principal } from '../services.js';
import type { Once } from '../store/made-once.js';
import type { BROWSER, LOGIN } from './token-rows.js';

/** Every change is in force when it resolves; each throws {MusterError} storage_failed, too. */
export type PeopleService = Readonly<{
  /** By name. @throws {MusterError} invalid_request (the cursor) */
  listUsers: (org: string, page: PageRequest) => Promise<Page<UserView>>;
  /** @throws {MusterError} conflict (the name is taken), idempotency_conflict, forbidden, rate_limited */
  createUser: (principal: Principal, ask: CreateUser, once?: Once) => Promise<UserView>;
  /**
   * A new password ends what was logged in with the old one. Undefined when there is no such user.
   * @throws {MusterError} forbidden, conflict (the last owner), rate_limited
   */
  changeUser: (principal: Principal, id: string, change: ChangeUser) => Promise<UserView | undefined>;
  /** With all tokens; false when there is no such user. @throws {MusterError} forbidden, conflict (the last owner) */
  deleteUser: (principal: Principal, id: string) => Promise<boolean>;
  /** Ends what was logged in, too. @throws {MusterError} unauthenticated (not the current password), rate_limited */
  changePassword: (principal: Principal, ask: ChangePassword) => Promise<void>;
}>;

export type TokenService = Readonly<{
  /**
   * The answer holds the token, shown again for the same call alone. It ends with the one that the principal came with.
   * @throws {MusterError} forbidden, not_found, invalid_request, unauthenticated (that one has ended), idempotency_conflict
   */
  create: (principal: Principal, ask: CreateApiToken, once?: Once) => Promise<ApiTokenCreated>;
  /** One's own; an admin sees all. Newest first. @throws {MusterError} invalid_request (the cursor) */
  list: (principal: Principal, page: PageRequest) => Promise<Page<ApiTokenView>>;
  /** With all that were made through it, and grants; false when there is none such, or none that the principal may delete. */
  delete: (principal: Principal, id: string) => Promise<boolean>;
  /** A token for 12 h; `name` says what for. @throws {MusterError} unauthenticated, rate_limited */
  login: (org: string, ask: Login, name?: typeof LOGIN | typeof BROWSER) => Promise<ApiTokenCreated>;
  /** Ends this token, which the principal came with; grants stay. */
  logout: (principal: Principal, bearer: string) => Promise<void>;
}>;
