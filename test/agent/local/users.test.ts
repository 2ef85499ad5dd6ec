import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createUsers } from '../../../agent/local/users.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const PASSWD = `root:x:0:0:root:/root:/bin/bash
broken line
anna:x:1000:1000:Anna,,,:/home/anna:/bin/bash
odd:x:-1:0::/:/bin/false
muster-agent:x:998:998::/nonexistent:/usr/sbin/nologin
`;

test('root, the user of the agent and those that are listed may ask, by name or by uid', (t) => {
  const { users } = create(t, ['anna', '2000', 'nobody-knows']);

  assert.deepEqual(
    [0, 998, 1000, 2000, 1001, 20_000].map((uid) => users.isAllowed(uid)),
    [true, true, true, true, false, false],
  );
  assert.deepEqual(users.unknown(), ['nobody-knows']);
});

test('a user is called by name where there is one', (t) => {
  const { users } = create(t, []);

  assert.deepEqual(
    [0, 1000, 4711].map((uid) => users.nameOf(uid)),
    ['root', 'anna', 'uid 4711'],
  );
});

test('a user that is added later may ask without a restart, and one that is gone may not', (t) => {
  const { users, passwd } = create(t, ['bob']);
  assert.equal(users.isAllowed(1001), false);

  writeFileSync(passwd, `${PASSWD}bob:x:1001:1001::/home/bob:/bin/sh\n`);
  assert.equal(users.isAllowed(1001), true);
  rmSync(passwd);
  assert.equal(users.isAllowed(1001), false);
  assert.equal(users.isAllowed(0), true);
});

function create(t: Parameters<typeof temporaryDirectory>[0], listed: readonly string[]) {
  const passwd = join(temporaryDirectory(t), 'passwd');
  writeFileSync(passwd, PASSWD);
  return { users: createUsers({ listed, ownUid: 998, passwd }), passwd };
}
