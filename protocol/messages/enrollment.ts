import { z } from 'zod';
import { Id, Thumbprint, Time, Uuid } from '../ids.js';
import { PublicJwk } from '../keys.js';

/** `met_{id}_{secret}_{thumbprint of the org's root key}`. */
const ENROLLMENT_TOKEN = /^met_([a-z0-9]{8,32})_([A-Za-z0-9]{16,64})_([A-Za-z0-9_-]{43})$/;

/** The three parts of an enrollment token; undefined when it is not one. */
export function parseEnrollmentToken(text: string): { id: string; secret: string; root: string } | undefined {
  const [, id, secret, root] = ENROLLMENT_TOKEN.exec(text) ?? [];
  return id === undefined || secret === undefined || root === undefined ? undefined : { id, secret, root };
}

/** The spelling of an enrollment token, shown once. */
export function formatEnrollmentToken({ id, secret, root }: { id: string; secret: string; root: string }): string {
  return `met_${id}_${secret}_${root}`;
}

/** Payload of `muster-enroll`; the node's public key stands in the header. */
export const Enroll = z.object({
  v: z.literal(1),
  token: z.string().max(256),
  node_id: Id.optional(),
  agent_version: z.string().max(64),
  issued_at: Time,
});
export type Enroll = Readonly<z.infer<typeof Enroll>>;

/** Payload of `muster-enrolled`. */
export const Enrolled = z.object({
  v: z.literal(1),
  token_id: z.string().max(64),
  node_key: Thumbprint,
  org: Id,
  node_id: Id,
  prefix: z.string().max(128),
  root: PublicJwk,
  keys: z.string().max(16 * 1024),
  broker: z.object({
    url: z.string().max(512),
    username: z.string().max(64),
    password: z.string().max(4096),
    ca: z
      .string()
      .max(64 * 1024)
      .optional(),
  }),
  enrolled_at: Time,
});
export type Enrolled = Readonly<z.infer<typeof Enrolled>>;

/** Payload of `muster-renew`: asks for a new broker password over HTTP. */
export const Renew = z.object({ v: z.literal(1), org: Id, node: Id, nonce: Uuid });
export type Renew = Readonly<z.infer<typeof Renew>>;
