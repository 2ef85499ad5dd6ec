import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { MusterError } from '../../protocol/errors.js';
import { errnoOf } from '../../runtime/errno.js';
import { isLoopback } from '../../runtime/loopback.js';
import { Role } from '../http/people-schemas.js';

const MAX_SECRET_BYTES = 4096;
/** RFC 6749, section 3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/;

/** Where people's browsers reach the controller: the addresses that a provider may send them back to lie below it. */
export const PublicUrl = z
  .url({ protocol: /^https?$/ })
  .max(512)
  .refine(isPrivate, 'must be https, or on this machine')
  .refine(isOrigin, 'must be a scheme and a host, without a path');

/** The settings of sign-in by OpenID Connect: there as a whole, or not at all. */
export const OidcSettings = z.strictObject({
  issuer: z
    .url({ protocol: /^https?$/ })
    .max(512)
    .refine(isPrivate, 'must be https, or on this machine')
    .describe('The provider, as it names itself: OpenID Connect discovery begins there'),
  client_id: z.string().min(1).max(256).describe('By which the provider knows the controller'),
  client_secret_file: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .describe('File with the secret of the client; a public client when absent'),
  scopes: z
    .array(z.string().regex(SCOPE, 'must be a scope: letters and signs without spaces'))
    .min(1)
    .max(32)
    .default(['openid', 'profile', 'email'])
    .refine((scopes) => scopes.includes('openid'), 'must hold openid')
    .describe('What the provider is asked for; some want one more to tell of groups'),
  groups_claim: z
    .string()
    .min(1)
    .max(256)
    .default('groups')
    .describe('The claim with the groups of a person, in the id token or else in the user info'),
  roles: z
    .record(z.string().min(1).max(256), Role)
    .default({})
    .describe('The role of each group; of several the highest counts'),
  default_role: Role.extract(['viewer', 'operator'])
    .optional()
    .describe('The role of whom none of the groups gives one; such people are refused when absent'),
});
export type OidcSettings = Readonly<z.infer<typeof OidcSettings>>;

/** The same, ready to be used: with the secret, and the origin that browsers come back to. */
export type Oidc = Omit<OidcSettings, 'client_secret_file'> &
  Readonly<{ clientSecret: string | undefined; publicOrigin: string }>;

/**
 * The settings with what they name; undefined when sign-in by OpenID Connect is off.
 * @throws {MusterError} config_invalid
 */
export function readOidc(config: Readonly<{ oidc?: OidcSettings | undefined; public_url?: string | undefined }>) {
  const { oidc, public_url: publicUrl } = config;
  if (oidc === undefined) return undefined;
  const { client_secret_file: file, ...settings } = oidc;
  if (publicUrl === undefined) throw faulty('controller.public_url: is needed for controller.oidc');
  if (Object.keys(settings.roles).length === 0 && settings.default_role === undefined) {
    throw faulty('controller.oidc.roles: gives nobody a role, and there is no default_role');
  }
  const clientSecret = file === undefined ? undefined : readSecret(file);
  return { ...settings, clientSecret, publicOrigin: new URL(publicUrl).origin } satisfies Oidc;
}

function readSecret(file: string): string {
  try {
    if (statSync(file).size > MAX_SECRET_BYTES) throw unusable(file, `is larger than ${MAX_SECRET_BYTES} bytes`);
    const secret = readFileSync(file, 'utf8').trim();
    if (secret === '') throw unusable(file, 'is empty');
    return secret;
  } catch (error) {
    if (error instanceof MusterError) throw error;
    throw unusable(file, `cannot be read (${errnoOf(error) ?? 'no text'})`);
  }
}

function unusable(file: string, why: string): MusterError {
  return faulty(`controller.oidc.client_secret_file: ${file} ${why}`);
}

function faulty(fault: string): MusterError {
  return new MusterError('config_invalid', `The configuration has a fault:\n  - ${fault}`);
}

/** What is no URL at all has been told already. */
function isPrivate(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url === undefined || url.protocol === 'https:' || isLoopback(url.hostname);
}

function isOrigin(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url === undefined || url.href === `${url.origin}/`;
}
