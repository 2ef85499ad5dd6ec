import { createHash, type KeyObject, sign, verify } from 'node:crypto';
import { z } from 'zod';
import { decodeBase64Url, encodeBase64Url } from './base64url.js';
import { MusterError } from './errors.js';
import { admitKey, type VerifyKey } from './keys.js';

/** Who may sign each `typ`. `bearer` is the one message whose key comes with it (enrollment). */
export const SIGNERS = {
  'muster-request': 'controller',
  'muster-control': 'controller',
  'muster-enrolled': 'controller',
  'muster-broker+jwt': 'controller',
  'muster-revocations': 'controller',
  'muster-audit-head': 'controller',
  'muster-keys': 'root',
  'muster-hello': 'node',
  'muster-ack': 'node',
  'muster-output': 'node',
  'muster-result': 'node',
  'muster-reply': 'node',
  'muster-capabilities': 'node',
  'muster-renew': 'node',
  'muster-enroll': 'bearer',
} as const;

export type EnvelopeType = keyof typeof SIGNERS;
export type SignerRole = (typeof SIGNERS)[EnvelopeType];

/** A private key with its `kid`, as `startX` functions load it. */
export type SigningKey = Readonly<{ kid: string; key: KeyObject }>;

/** A key that the verifier knows, and what it may sign. */
export type KnownKey = Readonly<{ key: KeyObject; role: SignerRole }>;

/** Config `max_packet_bytes`: no message of ours is larger. */
export const DEFAULT_MAX_PACKET_BYTES = 256 * 1024;

const SIGNATURE_BYTES = 64;

const Header = z.strictObject({
  alg: z.literal('EdDSA'),
  typ: z.string().max(64),
  kid: z.string().max(64).optional(),
  jwk: z.unknown().optional(),
});

/** JWS compact serialization (RFC 7515) of these payload octets, Ed25519 (RFC 8037). */
export function signEnvelope(typ: EnvelopeType, payload: Uint8Array | string, signer: SigningKey): string {
  return compact({ alg: 'EdDSA', typ, kid: signer.kid }, payload, signer.key);
}

/** Like {@link signEnvelope}, with the signature made on the thread pool: for who has other work meanwhile. */
export async function signEnvelopeAside(
  typ: EnvelopeType,
  payload: Uint8Array | string,
  signer: SigningKey,
): Promise<string> {
  const signed = signingInput({ alg: 'EdDSA', typ, kid: signer.kid }, payload);
  return withSignature(signed, await signAside(Buffer.from(signed), signer.key));
}

/** A `muster-enroll` envelope: the public key stands in the header, since nobody knows it yet. */
export function signWithOwnKey(payload: Uint8Array | string, signer: SigningKey, publicKey: VerifyKey): string {
  const { kty, crv, x } = publicKey.jwk;
  return compact({ alg: 'EdDSA', typ: 'muster-enroll', jwk: { kty, crv, x } }, payload, signer.key);
}

/** What an envelope is held against. */
type Expected = Readonly<{ typ: EnvelopeType; maxBytes: number; keyOf: (kid: string) => KnownKey | undefined }>;

/** The signed octets of an envelope and who signed them. */
export type OpenedEnvelope = Readonly<{ kid: string; payload: Buffer }>;

/**
 * The signed octets of an envelope and who signed them. Checks, in this order: size, header, known `kid` whose role
 * may sign this `typ`, signature. Nothing of the payload is looked at before the signature holds.
 * @throws {MusterError} envelope_too_large, envelope_malformed, envelope_algorithm, envelope_type, unknown_key,
 *   key_not_allowed, bad_signature
 */
export function openEnvelope(message: Uint8Array | string, expect: Expected): OpenedEnvelope {
  const { kid, payload, signed, key, signature } = findSigner(message, expect);
  believe(verify(null, signed, key, signature));
  return { kid, payload };
}

/**
 * Like {@link openEnvelope}, with the signature checked on the thread pool: for who has other work meanwhile.
 * @throws {MusterError} as openEnvelope, always by its promise
 */
export async function openEnvelopeAside(message: Uint8Array | string, expect: Expected): Promise<OpenedEnvelope> {
  const { kid, payload, signed, key, signature } = findSigner(message, expect);
  believe(await verifyAside(signed, key, signature));
  return { kid, payload };
}

/** {@link sign} on the thread pool. */
function signAside(octets: Uint8Array, key: KeyObject): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    sign(null, octets, key, (error, signature) => (error === null ? resolve(signature) : reject(error)));
  });
}

/** {@link verify} on the thread pool. */
function verifyAside(octets: Uint8Array, key: KeyObject, signature: Uint8Array): Promise<boolean> {
  return new Promise((resolve, reject) => {
    verify(null, octets, key, signature, (error, holds) => (error === null ? resolve(holds) : reject(error)));
  });
}

/** @throws {MusterError} bad_signature */
function believe(holds: boolean): void {
  if (!holds) throw new MusterError('bad_signature', 'the signature does not hold');
}

function findSigner(
  message: Uint8Array | string,
  expect: Expected,
): Omit<Split, 'header'> & { kid: string; key: KeyObject } {
  const { header, signed, payload, signature } = split(message, expect);
  if (header.kid === undefined || header.jwk !== undefined)
    throw new MusterError('envelope_algorithm', 'the header must name kid and no key');
  const known = expect.keyOf(header.kid);
  if (known === undefined) throw new MusterError('unknown_key', 'no key with this kid is known');
  if (SIGNERS[expect.typ] !== known.role)
    throw new MusterError('key_not_allowed', `a ${known.role} key may not sign ${expect.typ}`);
  return { kid: header.kid, key: known.key, signed, payload, signature };
}

/**
 * The payload octets of an envelope whose signature nobody has checked: for hints that change nothing which a signed
 * message does not confirm later.
 * @throws {MusterError} envelope_too_large, envelope_malformed, envelope_algorithm, envelope_type
 */
export function peekPayload(
  message: Uint8Array | string,
  expect: { typ: EnvelopeType; maxBytes: number },
): { kid: string | undefined; payload: Buffer } {
  const { header, payload } = split(message, expect);
  return { kid: header.kid, payload };
}

/**
 * Like {@link openEnvelope} for `muster-enroll`: the signature proves that the sender holds the key it brings.
 * @throws {MusterError} as openEnvelope, and unsafe_key
 */
export function openWithOwnKey(message: string, maxBytes: number): { signer: VerifyKey; payload: Buffer } {
  const { header, signed, payload, signature } = split(message, { typ: 'muster-enroll', maxBytes });
  if (header.jwk === undefined || header.kid !== undefined)
    throw new MusterError('envelope_algorithm', 'the header must carry jwk and no kid');
  const signer = admitKey(header.jwk);
  believe(verify(null, signed, signer.key, signature));
  return { signer, payload };
}

/**
 * The signed octets, parsed once and checked against the schema of their message.
 * @throws {MusterError} payload_malformed, unknown_version, payload_invalid
 */
export function parsePayload<S extends z.ZodType>(schema: S, payload: Uint8Array): z.infer<S> {
  let value: unknown;
  try {
    value = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch (cause) {
    if (cause instanceof MusterError) throw cause;
    throw new MusterError('payload_malformed', 'the payload is not UTF-8 JSON', { cause });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const version = typeof value === 'object' && value !== null && 'v' in value ? value.v : undefined;
  if (typeof version === 'number' && version !== 1) throw new MusterError('unknown_version', `v is ${version}`);
  const issue = parsed.error.issues[0];
  throw new MusterError('payload_invalid', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'does not fit'}`);
}

/** A member `__proto__`, however it is escaped, may be in a text that this matches. */
const SUSPECT = /__proto__|\\u00[5-7]/i;

/** JSON without a member `__proto__`: the schemas would drop it without a word, and the action run without it. */
function parseJson(text: string): unknown {
  if (!SUSPECT.test(text)) return JSON.parse(text);
  return JSON.parse(text, (key, value: unknown) => {
    if (key === '__proto__') throw new MusterError('payload_invalid', 'a member is named __proto__');
    return value;
  });
}

/** SHA-256 of payload octets, lower-case hex: `request_sha256`, `control_sha256`, `capabilities_sha256`. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function compact(header: object, payload: Uint8Array | string, key: KeyObject): string {
  const signed = signingInput(header, payload);
  return withSignature(signed, sign(null, Buffer.from(signed), key));
}

function signingInput(header: object, payload: Uint8Array | string): string {
  return `${encodeBase64Url(JSON.stringify(header))}.${encodeBase64Url(payload)}`;
}

function withSignature(signed: string, signature: Buffer): string {
  return `${signed}.${signature.toString('base64url')}`;
}

/** An envelope taken apart; `signed` is what the signature is over. */
type Split = Readonly<{ header: z.infer<typeof Header>; signed: Buffer; payload: Buffer; signature: Buffer }>;

function split(message: Uint8Array | string, { typ, maxBytes }: { typ: EnvelopeType; maxBytes: number }): Split {
  if (message.length > maxBytes)
    throw new MusterError('envelope_too_large', `${message.length} bytes, at most ${maxBytes}`);
  const text =
    typeof message === 'string'
      ? message
      : Buffer.from(message.buffer, message.byteOffset, message.byteLength).toString('latin1');
  const parts = text.split('.', 4);
  const [first = '', second = '', third = ''] = parts;
  const headerBytes = decodeBase64Url(first);
  const payload = decodeBase64Url(second);
  const signature = decodeBase64Url(third);
  if (
    parts.length !== 3 ||
    headerBytes === undefined ||
    payload === undefined ||
    signature?.length !== SIGNATURE_BYTES
  ) {
    throw new MusterError('envelope_malformed', 'not a JWS in compact serialization');
  }
  const header = parseHeader(headerBytes);
  if (header.typ !== typ) throw new MusterError('envelope_type', `typ is not ${typ}`);
  return { header, signed: Buffer.from(`${first}.${second}`, 'latin1'), payload, signature };
}

function parseHeader(bytes: Buffer): z.infer<typeof Header> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new MusterError('envelope_malformed', 'the header is not JSON', { cause });
  }
  const header = Header.safeParse(value);
  if (!header.success)
    throw new MusterError('envelope_algorithm', 'the header must hold alg EdDSA, typ and kid, and nothing else');
  return header.data;
}
