import { createHmac } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { MusterError } from '../../protocol/errors.js';
import type { Once } from '../store/made-once.js';
import { AskHeaders } from './schemas.js';

/** Of a POST that makes something else than an invocation. Other headers pass. */
export const KeyHeaders = z.looseObject({
  'idempotency-key': AskHeaders.shape['idempotency-key'].describe(
    'The same key with the same body and the same token makes nothing more, and gives the same answer for 24 h',
  ),
});

/** What of a request says what is asked, and by whom. */
type Asked = Pick<FastifyRequest, 'method' | 'bodySha256' | 'credential'> &
  Readonly<{
    routeOptions: Pick<FastifyRequest['routeOptions'], 'url'>;
    headers: Readonly<{ 'idempotency-key'?: string | undefined }>;
  }>;

/**
 * By what a POST that makes something is known when it comes again; undefined without an Idempotency-Key. Both values
 * follow from the caller's token: a copy of the store tells neither what the body was, a password perhaps, nor the secret
 * that was made.
 * @throws {MusterError} unauthenticated: there is no token that they could follow from
 */
export function onceOf({ method, bodySha256, credential, routeOptions, headers }: Asked): Once | undefined {
  const { 'idempotency-key': key } = headers;
  if (key === undefined) return undefined;
  const token = credential?.bearer;
  if (token === undefined) throw new MusterError('unauthenticated', 'No token came with the request');
  const of = (purpose: string): string =>
    createHmac('sha256', token)
      .update(JSON.stringify([purpose, key, method, routeOptions.url, bodySha256]))
      .digest('hex');
  return { key, askedSha256: of('asked'), secret: of('secret') };
}
