import { isDeepStrictEqual } from 'node:util';
import { sha256Hex } from '../../protocol/envelope.js';
import { Capabilities } from '../../protocol/messages/capabilities.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { Mask } from '../../runtime/masking/mask.js';
import { maskOffers } from '../../runtime/masking/offers.js';
import type { IncomingMessage } from '../../runtime/mqtt-session.js';
import type { Controls } from '../dispatch/controls.js';
import type { ControllerMetrics } from '../metrics.js';
import { containersOf, hidesContainers } from '../nodes/announced-containers.js';
import type { NodeRecord } from '../nodes/registry.js';
import { appendAudit } from '../store/audit.js';
import { insertHookPins, updateNode } from '../store/nodes.js';
import type { Store } from '../store/store.js';
import { compareHooks } from './hook-changes.js';
import { type Judge, openNodeMessage } from './open-message.js';

/** Capabilities that no hello has named yet. */
export type Candidate = Readonly<{ sha256: string; payload: string; value: Capabilities }>;

export type CapabilityDeps = Judge &
  Readonly<{
    store: Store;
    controls: Controls;
    metrics: ControllerMetrics;
    mask: Mask;
    clock: Clock;
    log: Logger;
    /** By node: the newest announcement, and what its last hello named. */
    candidates: Map<string, Candidate>;
    named: Map<string, string>;
  }>;

/**
 * Takes an announcement. It carries no time, so a replayed one looks like a new one: it is used only once a hello
 * names its hash, and that hello is asked for when it was not the last one.
 * @throws {MusterError} a refusal of openNodeMessage
 */
export async function takeCapabilities(deps: CapabilityDeps, message: IncomingMessage): Promise<void> {
  const { record, payload, value } = openNodeMessage(deps, message, {
    typ: 'muster-capabilities',
    schema: Capabilities,
  });
  const { node } = record;
  const sha256 = sha256Hex(payload);
  if (record.capabilitiesSha256 === sha256) return;
  deps.candidates.set(node, { sha256, ...shownOf(deps, payload, value) });
  if (deps.named.get(node) === sha256) return adoptCandidate(deps, node, sha256);
  deps.controls.post(node, { kind: 'announce', capabilities: false });
}

/** What is kept of an announcement: all but registered values and the hooks that are called by one. */
export function shownOf(
  { mask, metrics, log }: Pick<CapabilityDeps, 'mask' | 'metrics' | 'log'>,
  payload: Buffer,
  value: Capabilities,
): Pick<Candidate, 'payload' | 'value'> {
  const { value: shown, leftOut } = maskOffers(mask, value);
  if (leftOut > 0) {
    metrics.offersHidden(leftOut);
    log.warn({ node: value.node, leftOut }, 'announced actions left out, registered values name them');
  }
  return { payload: shown === value ? payload.toString('utf8') : JSON.stringify(shown), value: shown };
}

/** Uses the announcement that a hello names, if it is here already. */
export async function adoptCandidate(deps: CapabilityDeps, node: string, namedSha256: string | null): Promise<void> {
  const { registry, candidates, named } = deps;
  if (namedSha256 === null) named.delete(node);
  else named.set(node, namedSha256);
  const candidate = candidates.get(node);
  const record = registry.get(node);
  if (record === undefined || candidate === undefined || candidate.sha256 !== namedSha256) return;
  candidates.delete(node);
  await adopt(deps, record, candidate);
}

/** Stores what a node offers from now on, with what that changes about its hooks. */
export async function adopt(
  deps: Pick<CapabilityDeps, 'store' | 'registry' | 'metrics' | 'clock' | 'log' | 'org'>,
  record: NodeRecord,
  candidate: Candidate,
): Promise<void> {
  const { store, registry, clock, log, org } = deps;
  const { node } = record;
  const nowMs = clock.nowMs();
  const { pins, changed, audit } = compareHooks(record, candidate.value);
  const catalogue = registry.catalogues.of(candidate.value);
  const containers = containersOf(candidate.value);
  const hides = hidesContainers(candidate.value);
  // Containers come, go, start and end by themselves: that changes nothing about what the node can do.
  const isOther = hides !== record.hidesContainers || !isDeepStrictEqual(containers, record.containers);
  const isRoutine = catalogue === record.catalogue && isOther;
  await store.write(async (tx) => {
    await updateNode(tx, node, { capabilities: candidate.payload, capabilities_sha256: candidate.sha256 });
    await insertHookPins(
      tx,
      pins.map(([hook, checksum]) => ({ node, hook, checksum, pinned_at: nowMs })),
    );
    const details = { sha256: candidate.sha256 };
    const announced = { event: 'capabilities_changed', subject: `node:${node}`, details };
    const entries = isRoutine ? audit : [announced, ...audit];
    await appendAudit(
      tx,
      entries.map((entry) => ({ ...entry, atMs: nowMs, org, actor: `node:${node}` })),
    );
    tx.tell({ org, event: { type: 'node', node, change: 'changed' } });
  });
  registry.update(record, {
    capabilitiesSha256: candidate.sha256,
    catalogue,
    containers,
    hidesContainers: hides,
    pins: new Map([...pins, ...(registry.get(node) ?? record).pins]), // one that was accepted meanwhile counts
  });
  deps.metrics.hooksChanged(changed);
  if (changed > 0) log.warn({ node, changed }, 'hooks differ from what was pinned');
  log.info({ node, hooks: candidate.value.hooks.length }, 'capabilities changed');
}
