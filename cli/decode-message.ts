import { decodeBase64Url } from '../protocol/base64url.js';
import { TOPICS, type TopicKind, type TopicLevels } from '../protocol/topics.js';
import type { IncomingMessage } from '../runtime/mqtt-session.js';

/** A message as it passed. Nothing of it is verified: whoever reads it has none of the keys. */
export type DecodedMessage = TopicLevels &
  Readonly<{
    kind: TopicKind;
    from: 'controller' | 'agent';
    bytes: number;
    /** Of the signature; absent from what is not signed. */
    typ?: string | undefined;
    kid?: string | undefined;
    /** What it says; absent from sealed frames and from what cannot be read. */
    payload?: unknown;
    /** Why there is no payload. */
    unreadable?: 'sealed' | 'empty' | 'malformed';
  }>;

/** Names of members that are credentials, and of what only fills the screen. */
const HIDDEN: ReadonlySet<string> = new Set(['password', 'token', 'keys']);

/** Takes a message apart: the payload of a signed one, the JSON of any other. */
export function decodeMessage({ kind, levels, payload }: IncomingMessage): DecodedMessage {
  const known = { ...levels, kind, from: TOPICS[kind].from, bytes: payload.length };
  if (kind === 'terminal_in' || kind === 'terminal_out') return { ...known, unreadable: 'sealed' };
  if (payload.length === 0) return { ...known, unreadable: 'empty' };
  if (kind === 'status' || kind === 'metrics') return { ...known, ...read(parse(payload)) };
  const [header = '', body = ''] = payload.toString('latin1').split('.');
  const head = parse(decodeBase64Url(header));
  return { ...known, typ: textOf(head, 'typ'), kid: textOf(head, 'kid'), ...read(parse(decodeBase64Url(body))) };
}

function read(value: unknown): Pick<DecodedMessage, 'payload' | 'unreadable'> {
  if (typeof value !== 'object' || value === null) return { unreadable: 'malformed' };
  const members = Object.entries(value).map(([name, member]) => [name, HIDDEN.has(name) ? '[hidden]' : member]);
  return { payload: Object.fromEntries(members) };
}

function parse(bytes: Uint8Array | undefined): unknown {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes ?? []).toString('utf8'));
    JSON.stringify(value); // what is nested too deeply to be written is not shown
    return value;
  } catch {
    return undefined;
  }
}

function textOf(value: unknown, name: string): string | undefined {
  const member: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  return typeof member === 'string' ? member : undefined;
}
