import { z } from 'zod';
import { ExecutionId, Id, Sha256Hex, Time, Uuid } from '../ids.js';

/** Lists in a hello hold the oldest ones, this many. */
export const MAX_HELLO_LIST = 500;

/** Payload of `muster-hello`: what an agent holds, said on every connect. */
export const Hello = z.object({
  v: z.literal(1),
  node: Id,
  org: Id,
  boot_id: Uuid.describe("The kernel's"),
  process_id: Uuid.describe('New with each agent process'),
  connection: z.int().min(1).describe("Counts this process's connects"),
  agent_version: z.string().max(64),
  started_at: Time,
  node_time: Time,
  nonce: z.string().min(16).max(64),
  journal_epoch: Time.nullable().describe('now of the welcome that began this journal'),
  journal_seq: z.int().min(0).describe('Starts on disk'),
  last_welcome_seq: z.int().min(0).describe('0 before the first'),
  keys_version: z.int().min(1),
  capabilities_sha256: Sha256Hex.nullable(),
  running: z.array(ExecutionId).max(MAX_HELLO_LIST),
  unreceipted: z.array(ExecutionId).max(MAX_HELLO_LIST),
  unreceipted_count: z.int().min(0),
  terminals: z.array(Id).max(MAX_HELLO_LIST),
});
export type Hello = Readonly<z.infer<typeof Hello>>;
