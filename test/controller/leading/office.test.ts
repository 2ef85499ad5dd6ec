import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type BeginTerm, type Office, startOffice } from '../../../controller/leading/office.js';
import { createLease } from '../../../controller/store/lease.js';
import { openStore } from '../../../controller/store/store.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { createDatabase, runStatement, startPostgres } from '../../support/postgres.js';
import { until } from '../../support/until.js';

test('a controller that cannot begin to lead leaves the lease to another one', async (t) => {
  const server = await startPostgres(t);
  if (server === undefined) return t.skip('PostgreSQL is not installed');
  const url = await createDatabase(t, server.url);
  await (await openStore(url)).close();
  let tries = 0;
  const hindered = await open(t, { url, holder: 'hindered' }, async () => {
    tries += 1;
    if (tries > 1) throw new Error('its disk is full');
    return async () => undefined;
  });
  const other = await open(t, { url, holder: 'other' }, async () => async () => undefined);
  assert.deepEqual([hindered.isLeading, other.isLeading], [true, false]);

  hindered.resign('as a commit without an answer makes it');

  await until(() => other.isLeading, { what: 'the other one leads' });
  assert.ok(tries > 1);
  await until(() => hindered.leader()?.address === 'http://other.example', { what: 'the first one knows' });
});

test('a controller that leads again after another one did begins with a number of its own', async (t) => {
  const server = await startPostgres(t);
  if (server === undefined) return t.skip('PostgreSQL is not installed');
  const url = await createDatabase(t, server.url);
  await (await openStore(url)).close();
  const fences: number[] = [];
  const begin: BeginTerm = async ({ fence }) => {
    fences.push(fence);
    return async () => undefined;
  };
  const office = await open(t, { url, holder: 'one' }, begin);

  await runStatement(url, 'update lease set fence = 7'); // somebody else led meanwhile
  await until(() => office.isLeading && fences.length > 1, { what: 'the next term' });

  assert.deepEqual(fences, [1, 8]);
});

async function open(t: TestContext, at: { url: string; holder: string }, begin: BeginTerm): Promise<Office> {
  const lease = createLease({ ...at, address: `http://${at.holder}.example`, onLost: () => undefined });
  const log = createLogger('controller', { level: 'silent' });
  const office = await startOffice({ lease, begin, clock: SYSTEM_CLOCK, log });
  t.after(office.stop);
  return office;
}
