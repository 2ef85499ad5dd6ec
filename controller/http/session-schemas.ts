import { z } from 'zod';
import { Time } from '../../protocol/ids.js';
import { Login, Me, Role } from './people-schemas.js';

/** How people may sign in here. */
export const SignInMethods = z.object({
  password: z.literal(true).describe('With the name and the password of a user'),
  oidc: z.boolean().describe('At the OpenID Connect provider, from GET /api/v1/auth/oidc/login on'),
});
export type SignInMethods = Readonly<z.infer<typeof SignInMethods>>;

/** What proves who a browser speaks for: one of four. */
export const CreateSession = z.union([
  Login,
  z.strictObject({ token: z.string().min(1).max(512).describe('An API token of a person') }),
  z.strictObject({ code: z.string().min(1).max(128).describe('Of a sign-in link; works once') }),
  z.strictObject({
    oidc: z.literal(true).describe('The cookie that a sign-in at the provider has just left is taken for it'),
  }),
]);
export type CreateSession = Readonly<z.infer<typeof CreateSession>>;

/** Who a browser speaks for. The token itself is in a cookie that no script reads. */
export const SessionView = Me.extend({ role: Role, expires_at: Time });
export type SessionView = Readonly<z.infer<typeof SessionView>>;

/** The one time that the code is shown. */
export const SessionLink = z.object({
  code: z.string().describe('For POST /api/v1/auth/session, once'),
  expires_at: Time,
});
export type SessionLink = Readonly<z.infer<typeof SessionLink>>;
