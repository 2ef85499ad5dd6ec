import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { uuidv7 } from 'uuidv7';
import type { Journal } from '../../agent/journal/contract.js';
import { type JournalOptions, openJournal } from '../../agent/journal/journal.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { createLogger } from '../../runtime/logger.js';
import type { TestScope } from './broker.js';

const HOUR_MS = 3_600_000;

/** What a journal is asked to accept. */
export type TestRequest = Readonly<{
  id: string;
  sha256: string;
  octets: Buffer;
  expiresMs: number;
  starting: boolean;
}>;

/** A request as the executor hands it over, with octets of this length. */
export function journalRequest({ bytes = 40, ...rest }: Partial<TestRequest> & { bytes?: number } = {}): TestRequest {
  const id = rest.id ?? uuidv7();
  const octets = rest.octets ?? Buffer.from(`{"id":"${id}"}`.padEnd(bytes));
  const sha256 = createHash('sha256').update(octets).digest('hex');
  return { id, sha256, octets, expiresMs: SYSTEM_CLOCK.nowMs() + HOUR_MS, starting: true, ...rest };
}

/** Opens the journal of node `pump` in this directory; closed after the test unless it was before. */
export async function openTestJournal(
  t: TestScope,
  directory: string,
  options: Partial<JournalOptions> = {},
): Promise<Journal> {
  const journal = await openJournal({
    directory,
    org: 'default',
    node: 'pump',
    maxBytes: 64 * 1024 * 1024,
    clock: SYSTEM_CLOCK,
    log: createLogger('agent', { level: 'silent' }),
    machine: 'machine-1',
    ...options,
  });
  t.after(journal.close);
  return journal;
}

/** Accepts and ends an execution in this journal; without a receipt. */
export async function runThrough(journal: Journal, changes: Partial<TestRequest> = {}): Promise<TestRequest> {
  const request = journalRequest(changes);
  await journal.accept(request);
  await journal.finish(request.id, Buffer.alloc(1_000, 'x'), []);
  return request;
}

/** Takes as many executions to their receipt as make a small journal clean all of its files. */
export async function turnOver(journal: Journal, changes: Partial<TestRequest> = {}): Promise<void> {
  for (let count = 0; count < 150; count += 1) {
    const { id } = await runThrough(journal, { octets: Buffer.alloc(8_000, 'x'), ...changes });
    await journal.receipt([id]);
  }
  await journal.answers();
}

/** What the files of the journal in this directory take together. */
export function journalBytes(directory: string): number {
  const files = join(directory, 'journal');
  return readdirSync(files).reduce((sum, name) => sum + statSync(join(files, name)).size, 0);
}

/** The journal with some of its writes in the test's hands; its counters stay live, which a plain copy would freeze. */
export function withOwn(journal: Journal, own: Partial<Journal>): Journal {
  return new Proxy(journal, { get: (target, key) => Reflect.get(Object.hasOwn(own, key) ? own : target, key) });
}
