import { parseDuration } from '../protocol/durations.js';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import { createSecrets, type Secrets } from '../runtime/masking/mask.js';
import { createRefusals } from '../runtime/refusals.js';
import { createAuditService } from './audit/service.js';
import { type BrokerLink, createBrokerLink } from './broker-link.js';
import type { ControllerConfig } from './config.js';
import { createAnnouncer } from './dispatch/announcer.js';
import { createCancellations } from './dispatch/cancellations.js';
import { createClockWatch } from './dispatch/clock-watch.js';
import { createControls } from './dispatch/controls.js';
import { createDispatcher } from './dispatch/dispatcher.js';
import { loadOpenExecutions } from './dispatch/load-open.js';
import { createMarks } from './dispatch/marks.js';
import { createRollouts } from './dispatch/rollouts.js';
import { sweep } from './dispatch/sweeper.js';
import { createEnrollmentService } from './enrollment/service.js';
import { createEventFeed } from './events/feed.js';
import { createInvocationEvents } from './events/invocation-events.js';
import { createPresenceEvents } from './events/presence-events.js';
import { createEventRetention } from './events/retention.js';
import { deleteEndedGrants } from './grants/remove-ended.js';
import { revokeFutureGrants } from './grants/revoke.js';
import { countActive } from './grants/rows.js';
import { createGrants } from './grants/service.js';
import { createTokens, deleteExpiredTokens, principalOf } from './identity/api-tokens.js';
import { createAttempts } from './identity/attempts.js';
import { createBrokerCredentials } from './identity/broker-credentials.js';
import { createGate } from './identity/gate.js';
import type { Keyring } from './identity/keyring.js';
import { createRefusedLogins } from './identity/refused-logins.js';
import { createRevocationsFile } from './identity/revocations-file.js';
import { createUsers } from './identity/users.js';
import { createEvidenceStore } from './ingest/evidence.js';
import { createIngest, type Ingest } from './ingest/ingest.js';
import { createLocalAllowance } from './ingest/local-allowance.js';
import { createMissingOutput } from './ingest/missing-output.js';
import { createObjections } from './ingest/objections.js';
import { createReceipts } from './ingest/receipts.js';
import { createShield } from './ingest/shield.js';
import type { Adapters } from './integrations/adapter.js';
import { createAdapters } from './integrations/adapters/list.js';
import { registerCredentials } from './integrations/known-secrets.js';
import { endInterrupted } from './integrations/recover.js';
import { createIntegrations } from './integrations/service.js';
import { createVault } from './integrations/vault.js';
import { createCapacity } from './invocations/capacity.js';
import { createReplay } from './invocations/create.js';
import { expirePending } from './invocations/expire-pending.js';
import { maskReason } from './invocations/mask-reason.js';
import { createInvocationService } from './invocations/service.js';
import { createControllerMetrics } from './metrics.js';
import { createContainerService } from './nodes/containers.js';
import { createHookService } from './nodes/hooks.js';
import { createMembership } from './nodes/membership.js';
import { createPresence, type Presence } from './nodes/presence.js';
import { loadRegistry } from './nodes/registry.js';
import { createNodeService } from './nodes/service.js';
import { createPolicies } from './policy/policies.js';
import { createPolicyService } from './policy/service.js';
import { deleteOrphanedActionIds } from './polling/action-ids.js';
import { createPolling } from './polling/service.js';
import { runRetention } from './retention/run.js';
import { createSandboxAuthentication } from './sandboxes/authenticate.js';
import { createSeenBy } from './sandboxes/seen-by.js';
import { createSandboxes } from './sandboxes/service.js';
import type { Services } from './services.js';
import { createSignIn } from './sign-in/service.js';
import { createSessions } from './sign-in/sessions.js';
import type { Oidc } from './sign-in/settings.js';
import { deleteOldIdempotentUses } from './store/idempotency.js';
import { countPending } from './store/invocations.js';
import type { Store } from './store/store.js';
import { createStoreWatch } from './store-watch.js';
import { loadSuspension } from './suspension.js';
import { startWebhooks } from './webhooks/start-webhooks.js';
import type { Webhook } from './webhooks/webhooks-file.js';

/** Passwords are looked at on Node's four threads: one is left for the files, and logins never take the last but one. */
const PASSWORDS_BUSY = 'Too many passwords are being looked at: try again in a moment';
const LOGIN_GATE = { atOnce: 2, waiting: 20, refusal: PASSWORDS_BUSY };
const PEOPLE_GATE = { atOnce: 1, waiting: 20, refusal: PASSWORDS_BUSY };

/** The controller without its listeners: services for callers, ingest for the broker, and what happens by the clock. */
export type Core = Readonly<{
  services: Services;
  ingest: Ingest;
  link: BrokerLink;
  presence: Presence;
  /** Tells webhooks of events until the returned function is called. */
  startWebhooks: (webhooks: readonly Webhook[]) => () => Promise<void>;
  /** The broker is connected: asks who is there. */
  connected: () => void;
  /** Offers, announcements and requests for missing output that are due; called twice a second. */
  tick: () => void;
  /** Ends what is past its time; called each second. */
  sweep: () => Promise<void>;
  /** Forgets what is too old to matter; called each hour. */
  tidy: () => Promise<void>;
  /** Stores what was taken and sends the receipts that wait. */
  drain: () => Promise<void>;
}>;

export type CoreDeps = Readonly<{
  store: Store;
  keyring: Keyring;
  config: ControllerConfig;
  /** PEM of the broker's CA, handed to nodes. */
  brokerCa: string | undefined;
  /** How other systems are spoken to; those of this release when absent. */
  adapters?: Adapters;
  /** Sign-in by OpenID Connect; off when absent. */
  oidc?: Oidc | undefined;
  /** What is masked; the log and the store have to go through the same. */
  secrets?: Secrets;
  /** False when another controller may lead: then nothing is published. */
  holds?: () => boolean;
  /** What `/readyz` says when all is well. */
  ready?: string;
  clock: Clock;
  log: Logger;
  random?: () => number;
}>;

/** Wires the parts. Nothing is sent before the link is started. */
export async function createCore({
  store,
  keyring,
  config,
  brokerCa,
  adapters = createAdapters(),
  oidc,
  secrets = createSecrets(),
  holds = () => true,
  ready = 'ok',
  clock,
  log,
  random = Math.random,
}: CoreDeps): Promise<Core> {
  const { org, prefix } = config;
  const registry = await loadRegistry(store, org);
  const open = await loadOpenExecutions(store, clock);
  const suspension = await loadSuspension({ store, registry, clock, log, org });
  const presence = createPresence();
  const link = createBrokerLink(holds);
  const events = createInvocationEvents();
  const feed = createEventFeed({ store, log });
  const keepEvents = createEventRetention({ store, clock, config });
  const marks = createMarks({ store, clock, log });
  const metrics = createControllerMetrics({
    openByStatus: open.countByState,
    nodes: () => {
      const online = presence.connectedCount + presence.pollers(clock.nowMs()).length;
      return { online, offline: registry.size - online };
    },
    brokerConnected: () => link.connected,
    // The other metrics are wanted most while the store does not answer.
    suspended: suspension.isSuspended,
    approvalsPending: () => countPending(store.read, { org, nowMs: clock.nowMs() }).catch(() => Number.NaN),
    grantsActive: () => countActive(store.read, { org, nowMs: clock.nowMs() }).catch(() => Number.NaN),
  });
  const vault = createVault(config.data_dir);
  await registerCredentials({ store, vault, org, log, secrets });
  const parts = { store, keyring, registry, presence, open, link, marks, events, metrics, suspension };
  const shared = { ...parts, clock, log, org, random };
  const dispatcher = createDispatcher(shared);
  const rollouts = createRollouts({ ...shared, dispatcher });
  const controls = createControls(shared);
  const cancellations = createCancellations({ ...shared, controls });
  const refusals = createRefusals({ log, clock, count: metrics.refused });
  const objections = createObjections({ ...shared, refusals });
  const receipts = createReceipts({ ...shared, controls });
  const missingOutput = createMissingOutput({ ...shared, controls, receipts });
  const shield = createShield({ mask: secrets.mask, vault });
  const evidence = createEvidenceStore({ ...shared, dispatcher, missingOutput, objections, shield });
  const presenceEvents = createPresenceEvents(shared);
  const announcer = createAnnouncer({ ...shared, controls });
  const clockWatch = createClockWatch(clock, (byMs) => {
    // Nodes go by the time of their last welcome. None is offered anything until it has been told the new one.
    log.warn({ byMs }, 'clock was set');
    presence.forgetAll();
    announcer.connected();
  });
  const ingest = createIngest({
    ...shared,
    ...{ dispatcher, cancellations, controls, missingOutput, evidence, objections },
    maxPacketBytes: config.max_packet_bytes,
    mayAddLocal: createLocalAllowance(clock),
    mask: secrets.mask,
    candidates: new Map(),
    named: new Map(),
    welcomes: new Map(),
    nonces: new Map(),
  });

  const brokerUrl = config.public_broker_url ?? config.broker_url;
  const policies = createPolicies(store);
  const limits = {
    defaultExpiresInMs: parseDuration(config.default_expires_in) ?? 0,
    capacity: createCapacity({
      countOf: open.countOf,
      countAll: open.countAll,
      maxPerNode: config.max_open_per_node,
      maxInAll: config.max_open,
    }),
  };
  const takesChanges = createStoreWatch(shared);
  const revocations = createRevocationsFile(shared);
  const membership = createMembership({ ...shared, controls, revocations });
  await revocations.write();
  const attempts = createAttempts(clock);
  const onRefusedLogin = createRefusedLogins({ log, clock, count: metrics.loginRefused });
  const integrations = createIntegrations({
    ...{ ...shared, policies, adapters, vault, secrets },
    timeoutMs: parseDuration(config.integration_timeout) ?? 0,
    allowHttp: config.integrations_allow_http,
  });
  await endInterrupted(store, { org, nowMs: clock.nowMs(), log });
  const { approveAction, runner } = integrations;
  const asked = createInvocationService({
    ...{ ...shared, policies, dispatcher, cancellations, ...limits, approveAction },
  });
  const invocations: typeof asked = {
    ...asked,
    create: (principal, ask, request) => asked.create(principal, maskReason(ask, secrets.mask), request),
  };
  const integrationService: typeof integrations.service = {
    ...integrations.service,
    invoke: (principal, ask, request) => integrations.service.invoke(principal, maskReason(ask, secrets.mask), request),
  };
  const authenticateSandbox = createSandboxAuthentication({ store, clock });
  const inventory = { store, presence, clock, openOn: open.countOf, membership, policies };
  const nodes = createNodeService({ ...inventory, registry });
  const tokens = createTokens({ store, clock, attempts, gate: createGate(LOGIN_GATE), onRefusedLogin });
  const signIn = oidc === undefined ? undefined : createSignIn({ ...shared, oidc, onRefusedLogin });
  const services: Services = {
    org,
    authenticate: async (bearer) => (await principalOf(store, bearer, clock.nowMs())) ?? authenticateSandbox(bearer),
    nodes,
    hooks: createHookService(shared),
    invocations,
    integrations: integrationService,
    policy: createPolicyService({ store, clock, fileOrg: config.policy_file === undefined ? undefined : org }),
    enrollment: createEnrollmentService({ ...shared, prefix, broker: { url: brokerUrl, ca: brokerCa } }),
    people: createUsers({ store, clock, attempts, gate: createGate(PEOPLE_GATE) }),
    tokens,
    signIn,
    sessions: createSessions({ ...shared, publicUrl: config.public_url, tokens, signIn, onRefusedLogin }),
    containers: createContainerService({
      ...shared,
      create: invocations.create,
      whenDone: invocations.whenDone,
      replay: createReplay(shared),
    }),
    sandboxes: createSandboxes(shared),
    grants: createGrants({ ...shared, adapters }),
    mcp: config.mcp ? { hosts: config.mcp_hosts } : undefined,
    seenBy: createSeenBy({
      ...{ registry, nodes, invocations, integrations: integrationService },
      nodesOf: (seen) => createNodeService({ ...inventory, registry: seen }),
    }),
    polling: createPolling({ ...shared, mask: secrets.mask, evidence, create: invocations.create }),
    brokerCredentials: createBrokerCredentials({ ...shared, brokerUrl, prefix }),
    brokerLists: { keys: () => keyring.keys.list.jws, revocations: revocations.current },
    events: feed,
    audit: createAuditService({ ...shared, vault }),
    mask: secrets.mask,
    suspension,
    ready,
    notReady() {
      if (store.isFailing()) return 'The store takes no changes';
      return link.connected ? undefined : 'There is no connection to the broker';
    },
    metrics: metrics.render,
  };
  return {
    ...{ services, ingest, link, presence },
    connected: announcer.connected,
    startWebhooks: (webhooks) => startWebhooks(shared, webhooks),
    tick() {
      clockWatch.tick();
      dispatcher.tick();
      rollouts.tick();
      cancellations.tick();
      announcer.tick();
      missingOutput.tick();
      presenceEvents.tick();
      feed.poll();
    },
    async sweep() {
      if (!(await takesChanges())) return; // what is past its time ends when it does
      await sweep(shared);
      await expirePending(shared, { org, nowMs: clock.nowMs() });
      await revokeFutureGrants(store, { org, nowMs: clock.nowMs() });
      await runner.settle();
      await keepEvents();
    },
    async tidy() {
      await store.write(async (tx) => {
        await deleteOldIdempotentUses(tx, clock.nowMs());
        await deleteExpiredTokens(tx, clock.nowMs());
        await deleteOrphanedActionIds(tx);
        await deleteEndedGrants(tx, clock.nowMs() - (parseDuration(config.retention_age) ?? 0));
      });
      await revocations.write();
      await runRetention({
        ...shared,
        limits: {
          ageMs: parseDuration(config.retention_age) ?? 0,
          count: config.retention_count,
          auditAgeMs: parseDuration(config.audit_retention_age) ?? 0,
        },
      });
    },
    async drain() {
      await runner.stop();
      await ingest.drained();
      receipts.stop();
      marks.stop();
      feed.stop();
    },
  };
}
