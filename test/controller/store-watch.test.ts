import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { firstBrokenAuditRow } from '../../controller/store/audit.js';
import { makeDataDir } from '../../runtime/data-dir.js';
import { createSmallDisk, lacksSmallDisk } from '../faults/tools/small-disk.js';
import { assertRejectsCode } from '../support/assert-code.js';
import { backwards } from '../support/backwards.js';
import { OWNER, startTestCore } from '../support/core.js';
import { startTestHttp } from '../support/http.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const TOKEN = { uses: 1, expires_in: '2h', groups: [], labels: {} };

test('a controller whose disk is full refuses changes, says that it is not ready, and mends by itself (promise 16)', async (t) => {
  const lacks = lacksSmallDisk();
  if (lacks !== undefined) return t.skip(lacks);
  const scope = backwards(t);
  const disk = await createSmallDisk({ path: join(temporaryDirectory(scope), 'disk'), megabytes: 16 });
  scope.after(disk.remove);
  const { core, store } = await startTestCore(scope, { directory: makeDataDir(join(disk.path, 'controller')) });
  const { services } = core;
  const { url } = await startTestHttp(scope, services);
  const ready = async (): Promise<string> => (await fetch(`${url}/readyz`)).text();
  const kept = await services.enrollment.createToken(OWNER, TOKEN);
  assert.equal(await ready(), 'ok\n');

  disk.fill();
  await until(
    async () => {
      // What fits into the room that the log of the database has left is still taken.
      const asked = services.enrollment.createToken(OWNER, { ...TOKEN, labels: { filler: 'x'.repeat(60) } });
      return asked.then(
        () => false,
        async (error: unknown) => assertRejectsCode(Promise.reject(error), 'storage_failed'),
      );
    },
    { what: 'the refusal' },
  );
  const before = await services.enrollment.listTokens('default', { limit: 200 });
  assert.equal(await ready(), 'The store takes no changes\n');
  assert.ok(
    before.items.some(({ id }) => id === kept.id),
    'it is still read',
  );
  disk.free();

  await until(async () => (await ready()) === 'ok\n', { what: 'it is ready again' });
  assert.deepEqual(await services.enrollment.listTokens('default', { limit: 200 }), before, 'nothing half done');
  await services.enrollment.createToken(OWNER, TOKEN);
  assert.equal(await firstBrokenAuditRow(store.read), undefined);
});
