import { type KnownKey, parsePayload } from '../../protocol/envelope.js';
import { admitKey, type VerifyKey } from '../../protocol/keys.js';
import { Capabilities } from '../../protocol/messages/capabilities.js';
import type { Labels } from '../../protocol/selectors.js';
import { readLabels, readStrings } from '../store/json.js';
import { listNodeRows, type StoredNode } from '../store/nodes.js';
import type { Store } from '../store/store.js';
import { type Container, containersOf, hidesContainers } from './announced-containers.js';
import { type Catalogue, type CatalogueCache, createCatalogueCache } from './catalogue.js';

/** What the controller knows of an enrolled node; replaced, never changed. Times are milliseconds since 1970. */
export type NodeRecord = Readonly<{
  node: string;
  org: string;
  /** Undefined for a node that polls over HTTP: it signs nothing and has no place on the broker. */
  key: VerifyKey | undefined;
  enrolledAtMs: number;
  labels: Labels;
  /** Group → member since. */
  groups: ReadonlyMap<string, number>;
  agentVersion: string | null;
  bootId: string | null;
  processId: string | null;
  connection: number;
  formerProcesses: readonly string[];
  lastSeenMs: number | null;
  journalEpoch: string | null;
  journalSeq: number;
  welcomeSeq: number;
  passwordExpiresAtMs: number;
  passwordGroups: readonly string[];
  capabilitiesSha256: string | null;
  /** Undefined until the node has announced. */
  catalogue: Catalogue | undefined;
  /** As it announced them last. */
  containers: readonly Container[];
  /** It has more than it announced. */
  hidesContainers: boolean;
  /** Hook → the checksum that was seen first, or that somebody accepted since. */
  pins: ReadonlyMap<string, string>;
}>;

/**
 * All nodes that are not revoked, in memory: a copy of what is committed, so that a message is judged without asking
 * the disk. Whoever writes a node to the store puts it here after the commit.
 */
export type Registry = Readonly<{
  get: (node: string) => NodeRecord | undefined;
  all: () => Iterable<NodeRecord>;
  put: (record: NodeRecord) => void;
  /** Changes what is known of a node; nothing when it was removed, or came back under another key, since it was read. */
  update: (known: NodeRecord, changes: Partial<Omit<NodeRecord, 'node' | 'org' | 'key'>>) => NodeRecord | undefined;
  /** The node was removed: nothing that its key signs is believed from here on. */
  remove: (node: string) => void;
  /** The key with this thumbprint, and which node it belongs to. */
  keyOf: (kid: string) => (KnownKey & Readonly<{ node: string }>) | undefined;
  catalogues: CatalogueCache;
  readonly size: number;
}>;

/** Reads every node of the org from the store. */
export async function loadRegistry(store: Store, org: string): Promise<Registry> {
  const catalogues = createCatalogueCache();
  const nodes = new Map<string, NodeRecord>();
  const keys = new Map<string, KnownKey & { node: string }>();

  function put(record: NodeRecord): void {
    nodes.set(record.node, record);
    if (record.key === undefined) return;
    const { kid, key } = record.key;
    if (keys.get(kid)?.node !== record.node) keys.set(kid, { key, role: 'node', node: record.node });
  }

  function update(known: NodeRecord, changes: Partial<NodeRecord>): NodeRecord | undefined {
    const current = nodes.get(known.node);
    if (current?.key?.kid !== known.key?.kid || current?.enrolledAtMs !== known.enrolledAtMs) return undefined;
    const next = { ...current, ...changes };
    nodes.set(next.node, next);
    return next;
  }

  function remove(node: string): void {
    const kid = nodes.get(node)?.key?.kid;
    nodes.delete(node);
    if (kid !== undefined) keys.delete(kid);
  }

  for (const stored of await listNodeRows(store.read, org)) put(toRecord(stored, catalogues));
  return {
    get: (node) => nodes.get(node),
    all: () => nodes.values(),
    put,
    update,
    remove,
    keyOf: (kid) => keys.get(kid),
    catalogues,
    get size() {
      return nodes.size;
    },
  };
}

/** The nodes of an org, by id. */
export function recordsOf(registry: Pick<Registry, 'all'>, org: string): NodeRecord[] {
  return [...registry.all()].filter((record) => record.org === org).sort((a, b) => compareText(a.node, b.node));
}

/** By code unit, as the store sorts. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A stored node as it stands in the registry. */
export function toRecord({ row, groups, pins }: StoredNode, catalogues: CatalogueCache): NodeRecord {
  const announced = row.capabilities === null ? undefined : parsePayload(Capabilities, Buffer.from(row.capabilities));
  return {
    node: row.node,
    org: row.org,
    key: row.transport === 'http' ? undefined : admitKey(JSON.parse(row.public_jwk)),
    enrolledAtMs: row.enrolled_at,
    labels: readLabels(row.labels),
    groups: new Map(groups.map(({ group, since }) => [group, since])),
    agentVersion: row.agent_version,
    bootId: row.boot_id,
    processId: row.process_id,
    connection: row.connection,
    formerProcesses: readStrings(row.former_processes),
    lastSeenMs: row.last_seen_at,
    journalEpoch: row.journal_epoch,
    journalSeq: row.journal_seq,
    welcomeSeq: row.welcome_seq,
    passwordExpiresAtMs: row.password_expires_at,
    passwordGroups: readStrings(row.password_groups),
    capabilitiesSha256: row.capabilities_sha256,
    catalogue: announced === undefined ? undefined : catalogues.of(announced),
    containers: announced === undefined ? [] : containersOf(announced),
    hidesContainers: announced !== undefined && hidesContainers(announced),
    pins: new Map(pins.map(({ hook, checksum }) => [hook, checksum])),
  };
}
