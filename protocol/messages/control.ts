import { z } from 'zod';
import { ExecutionId, Id, Time, Uuid } from '../ids.js';
import { ParameterName } from './parameters.js';

/** A control lives at most this long, a terminal_open half of it. */
export const MAX_CONTROL_LIFE_MS = 60_000;
export const MAX_TERMINAL_OPEN_LIFE_MS = 30_000;

/** A node belongs to at most this many groups. */
export const MAX_GROUPS = 16;

const head = {
  v: z.literal(1),
  control_id: Uuid,
  org: Id,
  node: Id,
  issued_at: Time,
  expires_at: Time,
};

/** Most controls address one agent process; another one refuses. */
const addressed = { ...head, process_id: Uuid };

const Labels = z.record(z.string().min(1).max(63), z.string().max(256));

export const Welcome = z.object({
  ...head,
  kind: z.literal('welcome'),
  nonce: z.string().min(16).max(64).describe('Of the hello that it answers'),
  now: Time,
  welcome_seq: z.int().min(1),
  journal_seq: z.int().min(0).describe('The highest seen'),
  enrolled_at: Time,
  groups: z.array(z.object({ id: Id, since: Time })).max(MAX_GROUPS),
  labels: Labels,
  wanted: z.array(ExecutionId).max(500),
  cancelled: z.array(ExecutionId).max(500),
  announce: z.boolean().describe('True: capabilities are wanted'),
  keys: z
    .string()
    .max(16 * 1024)
    .optional()
    .describe('A newer muster-keys JWS'),
  password: z.string().max(4096).optional().describe('A newer broker password'),
});
export type Welcome = Readonly<z.infer<typeof Welcome>>;

export const Receipt = z.object({
  ...addressed,
  kind: z.literal('receipt'),
  execution_ids: z.array(ExecutionId).min(1).max(1000),
});
export type Receipt = Readonly<z.infer<typeof Receipt>>;

export const Cancel = z.object({
  ...addressed,
  kind: z.literal('cancel'),
  execution_id: ExecutionId,
  reason: z.string().max(1024),
});
export type Cancel = Readonly<z.infer<typeof Cancel>>;

/** `data` of the reply to a cancel: what the node knew of the execution when it came. */
export const CancelData = z.object({
  state: z
    .enum(['never_seen', 'open', 'finished'])
    .describe('never_seen: noted, and its request will not start; else the result says how it ended'),
});
export type CancelData = Readonly<z.infer<typeof CancelData>>;

export const Resend = z.object({
  ...addressed,
  kind: z.literal('resend'),
  execution_id: ExecutionId,
  from_seq: z.int().min(0),
});

export const Announce = z.object({ ...head, kind: z.literal('announce'), capabilities: z.boolean() });

const terminal = { ...addressed, terminal_id: Id };
const X25519Key = z.string().length(43).describe('Ephemeral X25519 public key, base64url');

export const TerminalOpen = z.object({
  ...terminal,
  kind: z.literal('terminal_open'),
  handler: z
    .string()
    .regex(/^[a-z0-9_-]{1,63}\/[a-z0-9_-]{1,63}$/)
    .describe('plugin/resource'),
  command: z.array(z.string().max(4096)).max(64),
  tty: z.boolean(),
  params: z.record(ParameterName, z.string().max(4096)),
  labels: Labels,
  rows: z.int().min(1).max(65_535),
  cols: z.int().min(1).max(65_535),
  public_key: X25519Key,
});

export const TerminalAttach = z.object({ ...terminal, kind: z.literal('terminal_attach'), public_key: X25519Key });

export const TerminalClose = z.object({ ...terminal, kind: z.literal('terminal_close'), reason: z.string().max(1024) });

/** Payload of `muster-control`. */
export const Control = z
  .discriminatedUnion('kind', [Welcome, Receipt, Cancel, Resend, Announce, TerminalOpen, TerminalAttach, TerminalClose])
  .refine(({ kind, issued_at, expires_at }) => {
    const lifeMs = Date.parse(expires_at) - Date.parse(issued_at);
    return lifeMs > 0 && lifeMs <= (kind === 'terminal_open' ? MAX_TERMINAL_OPEN_LIFE_MS : MAX_CONTROL_LIFE_MS);
  }, 'a control lives at most 60 s, a terminal_open 30 s');
export type Control = Readonly<z.infer<typeof Control>>;
export type ControlKind = Control['kind'];
