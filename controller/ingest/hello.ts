import { MAX_BROKER_TOKEN_SECONDS } from '../../protocol/broker-token.js';
import { MusterError } from '../../protocol/errors.js';
import { Hello } from '../../protocol/messages/hello.js';
import { toTime } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { IncomingMessage } from '../../runtime/mqtt-session.js';
import type { Controls, SentControl } from '../dispatch/controls.js';
import { openOn } from '../dispatch/open-executions.js';
import { issueBrokerPassword } from '../identity/broker-credentials.js';
import type { Keyring } from '../identity/keyring.js';
import type { Presence } from '../nodes/presence.js';
import type { NodeRecord } from '../nodes/registry.js';
import { appendAudit } from '../store/audit.js';
import { updateNode } from '../store/nodes.js';
import { findResult } from '../store/results.js';
import type { Suspension } from '../suspension.js';
import { type AckDeps, takeAccepted } from './acks.js';
import { adoptCandidate, type CapabilityDeps } from './capabilities.js';
import { endOldEpoch, hasLostJournal } from './journal-lost.js';
import type { MissingOutput } from './missing-output.js';
import { openNodeMessage } from './open-message.js';
import { endedPrematurely, reopen } from './reopen.js';

export type HelloDeps = AckDeps &
  CapabilityDeps &
  Readonly<{
    controls: Controls;
    keyring: Keyring;
    presence: Presence;
    suspension: Suspension;
    missingOutput: MissingOutput;
    /** The newest welcome of each node, by which its reply is known. */
    welcomes: Map<string, SentControl>;
    /** The newest nonces of each node: a welcome answers each once. */
    nonces: Map<string, readonly string[]>;
    log: Logger;
  }>;

const MAX_FORMER_PROCESSES = 16;
const MAX_NONCES = 8;
const MAX_LISTED = 500;
/** A new password when less than half of its life is left. */
const PASSWORD_RENEWAL_MS = (MAX_BROKER_TOKEN_SECONDS * 1000) / 2;

/**
 * Answers a hello with a welcome and offers what is open. The node's row, with the number of the welcome, is committed
 * before the welcome goes out.
 * @throws {MusterError} a refusal of openNodeMessage, stale, replayed
 */
export async function takeHello(deps: HelloDeps, message: IncomingMessage): Promise<void> {
  const { record, value: hello } = openNodeMessage(deps, message, { typ: 'muster-hello', schema: Hello });
  refuseOld(deps, record, hello);
  const isBack = !deps.presence.isConnected(record.node) || isOtherConnection(record, hello);
  const wasOffered = openOn(deps.open, record.node).some(({ offered }) => offered);
  const lost = hasLostJournal(record, hello, wasOffered);
  const { changes, password } = meet(deps, { record, hello, lost });
  if (!(await remember(deps, { record, changes, hello, lost }))) return; // it was removed in that moment
  if (lost) await endOldEpoch(deps, record.node);

  await adoptCandidate(deps, record.node, hello.capabilities_sha256);
  await reopenRunning(deps, hello);
  welcome(deps, { hello, password });
  deps.presence.connected(record.node, deps.clock.nowMs());
  await catchUp(deps, hello);
  if (isBack) deps.dispatcher.returned(record.node);
  deps.dispatcher.welcomed(record.node);
  deps.cancellations.welcomed(record.node);
}

/** @throws {MusterError} stale, replayed */
function refuseOld(
  { nonces }: HelloDeps,
  record: NodeRecord,
  { node, process_id, connection, nonce, journal_epoch }: Hello,
): void {
  const isFormer = record.formerProcesses.includes(process_id);
  if (isFormer || (process_id === record.processId && connection < record.connection)) {
    throw new MusterError('stale', 'the hello is from an earlier connection or process');
  }
  const seen = nonces.get(node) ?? [];
  if (seen.includes(nonce)) throw new MusterError('replayed', 'this hello was answered before');
  // Within one process an epoch only moves on: what names an older one, or none, was kept by somebody and sent again.
  const knownMs = process_id === record.processId && record.journalEpoch !== null ? Date.parse(record.journalEpoch) : 0;
  if ((journal_epoch === null ? 0 : Date.parse(journal_epoch)) < knownMs) {
    throw new MusterError('stale', 'the hello names an older journal than one before it');
  }
  nonces.set(node, [...seen, nonce].slice(-MAX_NONCES));
}

function isOtherConnection(record: NodeRecord, { process_id, connection }: Hello): boolean {
  return record.processId !== process_id || record.connection !== connection;
}

/** What a hello changes of a node. Its groups, labels and pins are people's, who may change them meanwhile. */
type Meeting = Pick<
  NodeRecord,
  | 'agentVersion'
  | 'bootId'
  | 'processId'
  | 'connection'
  | 'formerProcesses'
  | 'lastSeenMs'
  | 'journalEpoch'
  | 'journalSeq'
  | 'welcomeSeq'
  | 'passwordExpiresAtMs'
  | 'passwordGroups'
>;

/** What the node is from now on, and its new password when it is time for one. */
function meet(
  { clock, keyring, org }: HelloDeps,
  { record, hello, lost }: { record: NodeRecord; hello: Hello; lost: boolean },
): { changes: Meeting; password: string | undefined } {
  const nowMs = clock.nowMs();
  const groups = [...record.groups.keys()];
  const hasNewGroups = groups.join() !== record.passwordGroups.join();
  const renewed =
    hasNewGroups || record.passwordExpiresAtMs - nowMs < PASSWORD_RENEWAL_MS
      ? issueBrokerPassword(keyring, { role: 'node', id: record.node, org, groups, nodeKey: record.key?.kid }, nowMs)
      : undefined;
  const isNewProcess = record.processId !== null && record.processId !== hello.process_id;
  const formerProcesses = isNewProcess ? [...record.formerProcesses, record.processId] : record.formerProcesses;
  const changes: Meeting = {
    agentVersion: hello.agent_version,
    bootId: hello.boot_id,
    processId: hello.process_id,
    connection: hello.connection,
    formerProcesses: formerProcesses.slice(-MAX_FORMER_PROCESSES).filter((id) => id !== null),
    lastSeenMs: nowMs,
    journalEpoch: hello.journal_epoch,
    journalSeq: lost ? hello.journal_seq : Math.max(record.journalSeq, hello.journal_seq),
    welcomeSeq: Math.max(record.welcomeSeq, hello.last_welcome_seq) + 1,
    passwordExpiresAtMs: renewed?.expiresAtMs ?? record.passwordExpiresAtMs,
    passwordGroups: groups,
  };
  return { changes, password: renewed?.password };
}

/** False when the node has been removed since its hello came. */
async function remember(
  deps: HelloDeps,
  { record, changes, hello, lost }: { record: NodeRecord; changes: Meeting; hello: Hello; lost: boolean },
): Promise<boolean> {
  const { store, registry, suspension, clock, org, log } = deps;
  const { node } = record;
  const nowMs = clock.nowMs();
  const knows = knowsOfLaterWelcomes(deps, record, hello);
  if (lost) log.warn({ node }, 'node lost its journal');
  if (knows) log.error({ node }, 'node has seen a later welcome: was the store restored from an older copy?');
  const events = [...(lost ? ['journal_lost'] : []), ...(knows ? ['store_older_than_node'] : [])];
  const suspended = { sinceMs: nowMs, node };
  const begins = await store.write(async (tx) => {
    await updateNode(tx, node, toColumns(changes, hello));
    await appendAudit(
      tx,
      events.map((event) => ({ atMs: nowMs, org, actor: `node:${node}`, event, subject: `node:${node}` })),
    );
    return knows && (await suspension.begin(tx, suspended));
  });
  if (begins) {
    suspension.begun(suspended);
    askForResults(deps);
  }
  return registry.update(record, changes) !== undefined;
}

/**
 * Whether the store was put back behind a welcome that the node has had. Only its first hello to this process can show
 * that, since nobody restores a store under a running controller: a node that lies stops the others at most once. Nor
 * can one that has enrolled anew, whose journal still counts the welcomes of its former name.
 */
function knowsOfLaterWelcomes({ welcomes }: HelloDeps, { node, welcomeSeq }: NodeRecord, hello: Hello): boolean {
  return hello.last_welcome_seq > welcomeSeq && welcomeSeq > 0 && !welcomes.has(node);
}

/** Nodes that were welcomed before it was known that the store is an older copy say hello again, and are asked then. */
function askForResults({ open, presence, controls }: HelloDeps): void {
  for (const node of open.nodes()) {
    if (presence.isConnected(node)) controls.post(node, { kind: 'announce', capabilities: false });
  }
}

function toColumns(next: Meeting, hello: Hello) {
  return {
    agent_version: next.agentVersion,
    boot_id: next.bootId,
    process_id: next.processId,
    connection: next.connection,
    former_processes: JSON.stringify(next.formerProcesses),
    started_at: hello.started_at,
    last_seen_at: next.lastSeenMs,
    journal_epoch: next.journalEpoch,
    journal_seq: next.journalSeq,
    welcome_seq: next.welcomeSeq,
    keys_version: hello.keys_version,
    password_expires_at: next.passwordExpiresAtMs,
    password_groups: JSON.stringify(next.passwordGroups),
  };
}

function welcome(deps: HelloDeps, { hello, password }: { hello: Hello; password: string | undefined }): void {
  const { registry, controls, keyring, clock, open, welcomes } = deps;
  const record = registry.get(hello.node);
  if (record === undefined) return;
  const { list } = keyring.keys;
  const sent = controls.post(record.node, {
    kind: 'welcome',
    nonce: hello.nonce,
    now: toTime(clock.nowMs()),
    welcome_seq: record.welcomeSeq,
    journal_seq: record.journalSeq,
    enrolled_at: toTime(record.enrolledAtMs),
    groups: [...record.groups].map(([id, sinceMs]) => ({ id, since: toTime(sinceMs) })),
    labels: record.labels,
    wanted: wantedOf(deps, record.node).slice(0, MAX_LISTED),
    cancelled: openOn(open, record.node)
      .filter(({ cancelling }) => cancelling)
      .map(({ executionId }) => executionId)
      .slice(0, MAX_LISTED),
    announce: record.capabilitiesSha256 === null || record.capabilitiesSha256 !== hello.capabilities_sha256,
    ...(hello.keys_version < list.version ? { keys: list.jws } : {}),
    ...(password === undefined ? {} : { password }),
  });
  welcomes.set(record.node, sent);
}

/** What the node has accepted; of a node that may know more than the store, whatever may have reached it. */
function wantedOf({ open, suspension }: HelloDeps, node: string): string[] {
  const all = openOn(open, node).filter(({ requestSha256 }) => requestSha256 !== null);
  const wanted = suspension.isSuspended() ? all : all.filter(({ state }) => state === 'accepted');
  return wanted.map(({ executionId }) => executionId);
}

/** What the node runs is awaited again, whatever was concluded of it, so that the welcome can say what is to end. */
async function reopenRunning(deps: HelloDeps, { node, running }: Hello): Promise<void> {
  const executionIds = running.filter((executionId) => deps.open.get(executionId, node) === undefined);
  for (const executionId of await endedPrematurely(deps, { node, executionIds })) {
    await reopen(deps, { executionId, node });
  }
}

/** What the node holds stops the offers or is receipted, without waiting for it to be said again. */
async function catchUp(deps: HelloDeps, { node, running, unreceipted }: Hello): Promise<void> {
  const { open, store, missingOutput } = deps;
  for (const executionId of [...running, ...unreceipted]) {
    const execution = open.get(executionId, node);
    if (execution?.requestSha256 != null && execution.offered) takeAccepted(deps, execution, execution.requestSha256);
  }
  for (const executionId of unreceipted) {
    const stored = await findResult(store.read, { executionId, node });
    if (stored !== undefined) missingOutput.resultStored({ executionId, node, chunks: stored.chunks });
  }
}
