import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { MusterError } from '../../protocol/errors.js';
import { Id } from '../../protocol/ids.js';
import { errnoOf } from '../../runtime/errno.js';
import { readYamlDocument } from '../../runtime/yaml-document.js';
import { faultsOf } from '../http/validation.js';
import { createNetworks } from './addresses.js';

/** What a webhook may be told of. */
export const WEBHOOK_EVENTS = ['action_approval_request', 'action_completed', 'node_offline'] as const;
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

const Network = z.string().max(64).refine(isNetwork, 'must be a network such as 10.1.0.0/16, or an address');

const Webhook = z.strictObject({
  name: Id.describe('By which the store knows how far it has come'),
  url: z
    .url({ protocol: /^https?$/ })
    .max(2048)
    .refine(
      (url) => new URL(url).username === '' && new URL(url).password === '',
      'must not hold a user or a password',
    ),
  events: z.array(z.enum(WEBHOOK_EVENTS)).min(1).max(WEBHOOK_EVENTS.length),
  secret_file: z.string().min(1).max(4096).describe('File with the secret of the signatures, 16 bytes or more'),
  allow: z.array(Network).max(64).default([]).describe('Networks that are not public and it may go to all the same'),
});

const WebhooksFile = z
  .strictObject({ webhooks: z.array(Webhook).max(64) })
  .refine(({ webhooks }) => new Set(webhooks.map(({ name }) => name)).size === webhooks.length, 'has a name twice');

/** A webhook with its secret. */
export type Webhook = Readonly<Omit<z.infer<typeof Webhook>, 'secret_file'>> & Readonly<{ secret: string }>;

const MAX_FILE_BYTES = 256 * 1024;
const MIN_SECRET_BYTES = 16;
const MAX_SECRET_BYTES = 4096;

/**
 * The webhooks of a file; secrets beside it may be named by relative paths.
 * @throws {MusterError} config_invalid, whose message names every fault, one a line
 */
export function readWebhooksFile(file: string): Webhook[] {
  const read = readYamlDocument(readBounded(file, MAX_FILE_BYTES, file));
  if ('faults' in read) throw faulty(file, read.faults);
  const parsed = WebhooksFile.safeParse(read.value, { reportInput: true });
  if (!parsed.success) {
    throw faulty(
      file,
      faultsOf(parsed.error.issues, 'body').map(({ detail }) => detail),
    );
  }
  return parsed.data.webhooks.map(({ secret_file, ...webhook }) => {
    const secret = readBounded(resolve(dirname(file), secret_file), MAX_SECRET_BYTES, file).trim();
    if (Buffer.byteLength(secret) < MIN_SECRET_BYTES) {
      throw faulty(file, [`the secret of ${webhook.name} is shorter than ${MIN_SECRET_BYTES} bytes`]);
    }
    return { ...webhook, secret };
  });
}

function readBounded(path: string, maxBytes: number, file: string): string {
  try {
    if (statSync(path).size > maxBytes) throw faulty(file, [`${path} is larger than ${maxBytes} bytes`]);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof MusterError) throw error;
    throw faulty(file, [`${path} cannot be read (${errnoOf(error) ?? 'no text'})`]);
  }
}

function faulty(file: string, faults: readonly string[]): MusterError {
  return new MusterError('config_invalid', [`The webhooks of ${file} cannot be used:`, ...faults].join('\n  - '));
}

function isNetwork(text: string): boolean {
  try {
    createNetworks([text]);
    return true;
  } catch {
    return false;
  }
}
