import { isMusterError } from '../../protocol/errors.js';
import type { Welcome } from '../../protocol/messages/control.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { IdentityFile } from '../identity.js';
import type { Journal } from '../journal/contract.js';
import type { TrustedKeys } from '../keys.js';
import { causeOfEpoch } from './epoch.js';
import { filtersOf } from './filters.js';
import type { StandingRecord } from './standing.js';

/** After new groups the agent connects anew within this time, so that a fleet does not do it at once. */
const REGROUP_MS = 600_000;

export type WelcomesOptions = Readonly<{
  identity: IdentityFile;
  keys: TrustedKeys;
  standing: StandingRecord;
  journal: Journal;
  /** Says hello at once. */
  sayHello: () => void;
  publishCapabilities: () => void;
  /** Makes a new connection, with the groups of the new password. */
  reconnect: () => void;
  onWelcome: () => void;
  clock: Clock;
  log: Logger;
  random: () => number;
}>;

/** Keeps what a welcome brings: keys, standing, the journal's epoch, a new password. */
export type Welcomes = Readonly<{
  /** @throws {MusterError} storage_failed: the journal could not keep it */
  take: (welcome: Welcome) => Promise<void>;
  /** When the last one came, by the wall clock; undefined before the first. */
  lastMs: () => number | undefined;
  stop: () => void;
}>;

/** None has come yet. */
export function createWelcomes(options: WelcomesOptions): Welcomes {
  const { identity, keys, standing, journal, clock, log, random } = options;
  let lastMs: number | undefined;
  let regroupTimer: NodeJS.Timeout | undefined;

  async function take(welcome: Welcome): Promise<void> {
    // A list that brought this welcome itself is in use already, and not stored yet.
    if (welcome.keys !== undefined && (keys.renew(welcome.keys) || identity.current.keys !== welcome.keys)) {
      keep({ keys: welcome.keys });
    }
    standing.take(welcome); // before the first await: the time counts from the arrival
    await updateJournal(welcome);
    if (welcome.password !== undefined) takePassword(welcome.password);
    log.info({ welcomeSeq: welcome.welcome_seq, groups: welcome.groups.length }, 'welcomed');
    if (welcome.announce) options.publishCapabilities();
    lastMs = clock.nowMs();
    options.onWelcome();
  }

  async function updateJournal(welcome: Welcome): Promise<void> {
    const nowMs = Date.parse(welcome.now);
    const { seq } = journal;
    const cause = causeOfEpoch(journal, { nowMs, seenSeq: welcome.journal_seq });
    if (cause !== undefined) await journal.beginEpoch(nowMs, welcome.journal_seq);
    if (cause !== undefined && cause !== 'first welcome') {
      log.error({ cause, seq, seenSeq: welcome.journal_seq }, 'journal cannot be believed, a new epoch begins');
      options.sayHello(); // so that the controller learns of it before it offers anything else
    }
    await journal.welcomed(welcome.welcome_seq, nowMs);
  }

  /** A disk that is full must not cost the welcome: what it brought counts, and comes again after a restart. */
  function keep(change: Readonly<{ keys?: string; password?: string }>): void {
    try {
      identity.update(change);
    } catch (error) {
      if (!isMusterError(error, 'storage_failed')) throw error;
      log.error({ err: error }, 'identity not stored');
    }
  }

  function takePassword(password: string): void {
    const before = filtersOf(identity.current).join(' ');
    keep({ password });
    if (filtersOf(identity.current).join(' ') === before || regroupTimer !== undefined) return;
    regroupTimer = setTimeout(() => {
      regroupTimer = undefined;
      options.reconnect();
    }, random() * REGROUP_MS);
    regroupTimer.unref();
  }

  return { take, lastMs: () => lastMs, stop: () => clearTimeout(regroupTimer) };
}
