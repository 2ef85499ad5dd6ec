import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { createLease, type Lease } from '../../../controller/store/lease.js';
import { openStore } from '../../../controller/store/store.js';
import { createDatabase, runStatement, startPostgres, type TestPostgres } from '../../support/postgres.js';
import { until } from '../../support/until.js';

let server: TestPostgres | undefined;
const ends: (() => unknown)[] = [];

before(async () => {
  server = await startPostgres({ after: (end) => void ends.unshift(end) });
});

after(async () => {
  for (const end of ends) await end();
});

test('of several controllers one holds the lease, and each change of hands has a higher number', async (t) => {
  const url = await database(t);
  if (url === undefined) return t.skip('PostgreSQL is not installed');
  const one = lease(t, url, 'one');
  const two = lease(t, url, 'two');

  assert.deepEqual(await one.claim(), { kind: 'leader', fence: 1 });
  assert.deepEqual(await two.claim(), { kind: 'standby', address: 'http://one.example' });
  assert.deepEqual(await one.claim(), { kind: 'leader', fence: 1 });

  await one.stop(); // given back: nobody waits for its end
  assert.deepEqual(await two.claim(), { kind: 'leader', fence: 2 });

  two.forget(); // a new term of the same controller
  assert.deepEqual(await two.claim(), { kind: 'leader', fence: 3 });
});

test('a claim whose answer was on its way when the term ended begins a new one', async (t) => {
  const url = await database(t);
  if (url === undefined) return t.skip('PostgreSQL is not installed');
  const one = lease(t, url, 'one');
  await one.claim();

  const claiming = one.claim();
  await new Promise((later) => setImmediate(later)); // the question has left
  one.forget();

  assert.deepEqual(await claiming, { kind: 'leader', fence: 2 });
});

test('whoever only looks takes nothing, and what is given back is free at once', async (t) => {
  const url = await database(t);
  if (url === undefined) return t.skip('PostgreSQL is not installed');
  const one = lease(t, url, 'one');
  const two = lease(t, url, 'two');

  assert.deepEqual(await one.claim({ lookOnly: true }), { kind: 'standby', address: undefined });
  await one.claim();
  await one.release();

  assert.deepEqual(await two.claim(), { kind: 'leader', fence: 2 });
  assert.deepEqual(await one.claim({ lookOnly: true }), { kind: 'standby', address: 'http://two.example' });
});

test('a lease that is not renewed is taken, and its former holder stands by', async (t) => {
  const url = await database(t);
  if (url === undefined) return t.skip('PostgreSQL is not installed');
  const one = lease(t, url, 'one');
  const two = lease(t, url, 'two');
  await one.claim();

  await runStatement(url, 'update lease set expires_at = 0');

  assert.deepEqual(await two.claim(), { kind: 'leader', fence: 2 });
  assert.deepEqual(await one.claim(), { kind: 'standby', address: 'http://two.example' });
});

test('a lease is taken at once when the connection of its holder is gone, and that one is told', async (t) => {
  const url = await database(t);
  if (url === undefined) return t.skip('PostgreSQL is not installed');
  let isTold = false;
  const one = lease(t, url, 'one', () => {
    isTold = true;
  });
  const two = lease(t, url, 'two');
  await one.claim();
  await runStatement(url, 'update lease set expires_at = expires_at + 3600000'); // so that it is not its end that lets go

  await runStatement(url, `select pg_terminate_backend(split_part(session, ' ', 1)::int) from lease`);

  await until(async () => (await two.claim()).kind === 'leader', { what: 'the other one takes it' });
  await until(() => isTold, { what: 'the former holder is told' });
  assert.deepEqual(await one.claim(), { kind: 'standby', address: 'http://two.example' });
});

test('ten controllers that claim at once have one leader', async (t) => {
  const url = await database(t);
  if (url === undefined) return t.skip('PostgreSQL is not installed');
  const leases = Array.from({ length: 10 }, (_, n) => lease(t, url, `number-${n}`));

  const claims = await Promise.all(leases.map(({ claim }) => claim()));

  assert.equal(claims.filter(({ kind }) => kind === 'leader').length, 1);
});

/** The URL of a database that has our tables; undefined where there is no PostgreSQL. */
async function database(t: TestContext): Promise<string | undefined> {
  if (server === undefined) return undefined;
  const url = await createDatabase(t, server.url);
  await (await openStore(url)).close();
  return url;
}

function lease(t: TestContext, url: string, holder: string, onLost: () => void = () => undefined): Lease {
  const made = createLease({ url, holder, address: `http://${holder}.example`, onLost });
  t.after(made.stop);
  return made;
}
