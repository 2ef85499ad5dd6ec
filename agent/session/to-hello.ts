import { sha256Hex } from '../../protocol/envelope.js';
import { type Hello, MAX_HELLO_LIST } from '../../protocol/messages/hello.js';
import { toTime } from '../../runtime/clock.js';
import { VERSION } from '../../runtime/version.js';
import type { Speaker } from '../executor/to-result.js';
import type { Journal } from '../journal/contract.js';
import type { TrustedKeys } from '../keys.js';

/** What a node says it holds. Times are milliseconds since 1970 by its own clock. */
export type HelloFacts = Readonly<{
  nonce: string;
  connection: number;
  startedAtMs: number;
  nowMs: number;
  journal: Journal;
  keys: TrustedKeys;
  capabilities: Buffer;
  /** Ids of the executions that run. */
  running: readonly string[];
}>;

/** The `hello` message of this process. */
export function toHello({ org, node, bootId, processId }: Speaker, facts: HelloFacts): Hello {
  const { journal, keys } = facts;
  const unreceipted = journal.unreceipted();
  return {
    v: 1,
    node,
    org,
    boot_id: bootId,
    process_id: processId,
    connection: facts.connection,
    agent_version: VERSION,
    started_at: toTime(facts.startedAtMs),
    node_time: toTime(facts.nowMs),
    nonce: facts.nonce,
    journal_epoch: journal.epochMs === undefined ? null : toTime(journal.epochMs),
    journal_seq: journal.seq,
    last_welcome_seq: journal.welcomeSeq,
    keys_version: keys.version,
    capabilities_sha256: sha256Hex(facts.capabilities),
    running: facts.running.slice(0, MAX_HELLO_LIST),
    unreceipted: unreceipted.slice(0, MAX_HELLO_LIST),
    unreceipted_count: unreceipted.length,
    terminals: [],
  };
}
