import type {
  ChangeSandbox,
  CreateSandbox,
  ReplaceSandboxToken,
  SandboxCreated,
  SandboxView,
} from '../http/sandbox-schemas.js';
import type { IntegrationService } from '../integrations/integration-service.js';
import type { InvocationService, NodeService, Page, PageRequest, Principal } from '../services.js';
import type { Once } from '../store/made-once.js';
import type { Reach } from './reach.js';

/** A sandbox as it stands now. */
export type SandboxScope = Readonly<{
  id: string;
  name: string;
  isPaused: boolean;
  /** The people who were shown its token, or one that it had before. */
  holders: readonly string[];
  /** What the connections come to. */
  reach: Reach;
}>;

/** The restricted identities of programs. Every change is in force when it resolves; each throws {MusterError} storage_failed, too. */
export type SandboxService = Readonly<{
  /**
   * The answer holds the token; it is not shown again.
   * @throws {MusterError} conflict (the name is taken), unknown_integration, invalid_request, idempotency_conflict
   */
  create: (principal: Principal, ask: CreateSandbox, once?: Once) => Promise<SandboxCreated>;
  /** In the order in which they were made. @throws {MusterError} invalid_request (the cursor) */
  list: (org: string, page: PageRequest) => Promise<Page<SandboxView>>;
  get: (org: string, id: string) => Promise<SandboxView | undefined>;
  /** Pauses or resumes; again is the same. Undefined when there is no such sandbox. */
  change: (principal: Principal, id: string, change: ChangeSandbox) => Promise<SandboxView | undefined>;
  /** A new token; the one before ends. Undefined when there is no such sandbox. @throws {MusterError} invalid_request */
  replaceToken: (principal: Principal, id: string, ask: ReplaceSandboxToken) => Promise<SandboxCreated | undefined>;
  /** The one who asks when this sandbox does; undefined when there is no such sandbox. */
  asPrincipal: (org: string, id: string) => Promise<Principal | undefined>;
  /** With its token and connections, and its grants are revoked; what it asked for stays. False when there is no such sandbox. */
  delete: (principal: Principal, id: string) => Promise<boolean>;
}>;

/** What somebody sees of the fleet and of what was asked. */
export type Seen = Readonly<{
  nodes: Pick<NodeService, 'list' | 'summary' | 'get' | 'groups' | 'actions'>;
  invocations: Pick<
    InvocationService,
    | 'create'
    | 'preview'
    | 'get'
    | 'list'
    | 'cancel'
    | 'executions'
    | 'executionGroups'
    | 'execution'
    | 'outputOf'
    | 'whenDone'
    | 'resultOf'
  >;
  integrations: Pick<IntegrationService, 'available' | 'invoke' | 'preview'>;
}>;
