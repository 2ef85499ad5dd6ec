import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { isMusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import { checkUrl, clientConfig } from './postgres-connections.js';
import { fail, toStartFailure } from './postgres-failures.js';

/** A server that came up with us answers within this; then the start fails, and whoever watches over us begins anew. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 1_000;
const STATEMENT_MS = 5_000;

/**
 * Waits until the server of this URL answers: database and controller may start together. What waiting does not mend is
 * told at once.
 * @throws {MusterError} config_invalid, storage_failed (no answer for 30 s, or `stop` fired)
 */
export async function awaitPostgres(
  url: string,
  { clock, log, stop }: { clock: Clock; log: Logger; stop?: AbortSignal | undefined },
): Promise<void> {
  checkUrl(url);
  const untilMs = clock.monotonicMs() + PATIENCE_MS;
  for (;;) {
    const failure = await ask(url);
    if (failure === undefined) return;
    const isPassing = isMusterError(failure, 'storage_failed');
    if (!isPassing || stop?.aborted === true || clock.monotonicMs() >= untilMs) throw failure;
    log.warn({ reason: failure.message }, 'waiting for the database');
    await pause(PAUSE_MS, undefined, { signal: stop }).catch(() => undefined);
  }
}

/** Undefined when it answers, else why it does not. */
async function ask(url: string): Promise<unknown> {
  const client = new pg.Client(clientConfig(url, STATEMENT_MS));
  client.on('error', () => undefined); // the query under way fails as well
  try {
    await client.connect();
    await client.query('select 1');
    return undefined;
  } catch (error) {
    try {
      return fail(error);
    } catch (failure) {
      return toStartFailure(failure);
    }
  } finally {
    await client.end().catch(() => undefined);
  }
}
