import { z } from 'zod';
import { ActionName, Id, Sha256Hex, Time, Uuid } from '../../protocol/ids.js';
import { Risk } from '../../protocol/messages/capabilities.js';
import { CreateInvocation } from './schemas.js';
import { IntegrationTarget } from './target-schemas.js';

/** What an action says of one of its parameters. */
export const ActionParam = z.object({
  name: z.string(),
  type: z.enum(['string', 'number', 'boolean', 'object']),
  required: z.boolean(),
  description: z.string(),
});
export type ActionParam = Readonly<z.infer<typeof ActionParam>>;

/** An action of an integration; `risk` as the policy sees it now. */
export const IntegrationAction = z.object({
  name: ActionName,
  description: z.string(),
  risk: Risk,
  params: z.array(ActionParam),
});
export type IntegrationAction = Readonly<z.infer<typeof IntegrationAction>>;

export const BaseUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https address' })
  .max(512)
  .refine((text) => isPlain(text), 'must be without a user, a query and a fragment')
  .describe('Where the system answers; below it lie all addresses that its actions ask');

/** Secrets go into headers: they are one line of ASCII. */
const Secret = z
  .string()
  .regex(/^[\x21-\x7e]{8,4096}$/, 'must be 8 to 4096 ASCII characters without spaces')
  .meta({ writeOnly: true });

const Name = z.string().regex(/^[\x21-\x7e]{1,256}$/, 'must be 1 to 256 ASCII characters without spaces');
const Digits = z.string().regex(/^\d{1,20}$/, 'must be a number');

/** Where an integration's token comes from when an action runs. Secrets are sealed and never given back. */
export const Credential = z.discriminatedUnion('provider', [
  z
    .strictObject({ provider: z.literal('stored'), token: Secret.describe('The token itself') })
    .describe('A token that the controller keeps'),
  z
    .strictObject({
      provider: z.literal('nango'),
      secret_key: Secret.describe('Of the Nango environment'),
      connection_id: Name,
      provider_config_key: Name.describe('The integration, as Nango calls it'),
      base_url: BaseUrl.default('https://api.nango.dev'),
    })
    .describe('A connection of Nango, which is asked for its token each time'),
  z
    .strictObject({
      provider: z.literal('github_app'),
      app_id: Digits,
      installation_id: Digits,
      private_key: z.string().min(100).max(16_384).meta({ writeOnly: true }).describe('RSA key of the app, PEM'),
      base_url: BaseUrl.default('https://api.github.com'),
    })
    .describe('An installation of a GitHub App, for which a token of an hour is made each time'),
]);
export type Credential = Readonly<z.infer<typeof Credential>>;
export type ProviderKind = Credential['provider'];

export const CreateIntegration = z.strictObject({
  name: Id.optional().describe("How it is named in asks; the adapter's name when absent"),
  adapter: Id.describe('What it speaks: sentry, linear, or one of controller.integrations_file'),
  base_url: BaseUrl.optional().describe("The adapter's own when absent"),
  credential: Credential,
});
export type CreateIntegration = Readonly<z.infer<typeof CreateIntegration>>;

export const IntegrationStatus = z.enum(['active', 'disabled']);

export const ChangeIntegration = z.strictObject({
  status: IntegrationStatus.describe('What is disabled is offered to nobody, and what waits for it fails'),
});
export type ChangeIntegration = Readonly<z.infer<typeof ChangeIntegration>>;

export const IntegrationView = z.object({
  id: Uuid,
  name: Id,
  adapter: Id,
  base_url: z.string(),
  provider: z.enum(['stored', 'nango', 'github_app']),
  settings: z.record(z.string(), z.string()).describe('Of the provider, without its secret'),
  status: IntegrationStatus,
  created_at: Time,
  created_by: z.string(),
  actions: z.array(IntegrationAction).describe('None when this controller does not know the adapter any more'),
});
export type IntegrationView = Readonly<z.infer<typeof IntegrationView>>;

/** What came of a test: the provider was asked for a token, and the system for something that changes nothing. */
export const IntegrationTest = z.object({
  ok: z.boolean(),
  detail: z.string().describe('What went wrong, or that nothing did'),
  duration_ms: z.int(),
});
export type IntegrationTest = Readonly<z.infer<typeof IntegrationTest>>;

/** An ask for an integration's action; what is about nodes alone has no place in it. */
export const AskIntegration = z.strictObject({
  action: ActionName,
  target: IntegrationTarget,
  parameters: z.record(z.string(), z.unknown()),
  reason: CreateInvocation.shape.reason,
  confirm: z.boolean().default(false),
  digest: Sha256Hex.optional(),
});
export type AskIntegration = Readonly<z.infer<typeof AskIntegration>>;

function isPlain(text: string): boolean {
  const { username, password, search, hash } = new URL(text);
  return username === '' && password === '' && search === '' && hash === '';
}
