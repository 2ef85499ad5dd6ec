import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { MusterError } from '../protocol/errors.js';
import { toId } from '../protocol/ids.js';
import type { WakefulClock } from '../runtime/clock.js';
import { claimDataDir } from '../runtime/data-dir.js';
import { type KeyPair, loadOrCreateKey } from '../runtime/key-file.js';
import type { Logger } from '../runtime/logger.js';
import type { AgentConfig } from './config.js';
import { enroll } from './enroll.js';
import type { Speaker } from './executor/to-result.js';
import { createIdentityFile, type Identity, type IdentityFile, loadIdentity, saveIdentity } from './identity.js';
import type { Journal } from './journal/contract.js';
import { openJournal } from './journal/journal.js';
import { type Machine, readBootId } from './machine.js';
import type { Stops } from './stops.js';

/** What a node keeps in its data directory, which this process alone uses now. */
export type Home = Readonly<{
  dataDir: string;
  key: KeyPair;
  identity: IdentityFile;
  journal: Journal;
  /** Who this process is in everything that it says. */
  speaker: Speaker;
  machine: Machine;
}>;

export type HomeOptions = Readonly<{
  settings: AgentConfig;
  log: Logger;
  clock: WakefulClock;
  /** Fires when a start that waits for its enrollment has to end. */
  signal: AbortSignal | undefined;
  stops: Stops;
}>;

/**
 * Claims the data directory and reads what it holds; a node that is new enrolls first.
 * @throws {MusterError} data_dir_unusable, already_running, enrollment_failed, unavailable, usage, config_invalid,
 *   storage_failed, unsafe_key
 */
export async function openHome(options: HomeOptions): Promise<Home> {
  const { settings, log, clock, stops } = options;
  const dataDir = await claimDataDir(settings.data_dir);
  stops.add(dataDir.release);
  const key = loadOrCreateKey(join(dataDir.path, 'node.key'));
  const identity = createIdentityFile(
    dataDir.path,
    loadIdentity(dataDir.path) ?? (await becomeKnown(dataDir.path, key, options)),
  );
  const { org, node } = identity.current;
  const journal = await openJournal({
    directory: dataDir.path,
    org,
    node,
    maxBytes: settings.journal_max_bytes,
    clock,
    log: log.child({ component: 'journal' }),
  });
  stops.add(journal.close);
  const machine = { processId: randomUUID(), bootId: readBootId(), clock };
  // A machine that tells no boot id gets a new one with each process, which only makes it look rebooted.
  const speaker = { org, node, bootId: machine.bootId ?? randomUUID(), processId: machine.processId };
  return { dataDir: dataDir.path, key, identity, journal, speaker, machine };
}

async function becomeKnown(
  dataDir: string,
  key: KeyPair,
  { settings, clock, log, signal }: HomeOptions,
): Promise<Identity> {
  const { enroll_url: url, enroll_token: token, node_id: nodeId } = settings;
  if (url === undefined || token === undefined) {
    throw new MusterError(
      'config_invalid',
      `This node is not enrolled (${dataDir} holds no identity): give --enroll URL and --token TOKEN`,
    );
  }
  const identity = await enroll({
    url,
    token,
    nodeId: nodeId ?? toId(hostname()),
    key,
    clock,
    log,
    signal: signal ?? new AbortController().signal,
  });
  saveIdentity(dataDir, identity);
  log.info({ org: identity.org, node: identity.node }, 'enrolled');
  return identity;
}
