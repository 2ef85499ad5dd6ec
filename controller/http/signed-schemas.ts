import { z } from 'zod';
import { Id, Time } from '../../protocol/ids.js';

/** What a node says and is told when it enrolls or renews its password. */
export const SignedBody = z.strictObject({
  jws: z
    .string()
    .min(1)
    .max(64 * 1024),
});

/** For a renewal. */
export const Nonce = z.object({ nonce: z.string(), expires_at: Time });

/** A node's new broker password. */
export const RenewedCredential = z.object({ username: Id, password: z.string(), expires_at: Time });
