import assert from 'node:assert/strict';
import { test } from 'node:test';
import { insertGrant, newGrant } from '../../../controller/grants/make.js';
import { spendGrant } from '../../../controller/grants/match.js';
import { insertOwner } from '../../../controller/identity/users.js';
import { PolicyDocument } from '../../../controller/policy/document.js';
import { openStore } from '../../../controller/store/store.js';
import { OWNER } from '../../support/core.js';
import { storePlace } from '../../support/store-place.js';

const CALLS = 40;
const BUDGET = 7;

test('S-A-38: two controllers on one store take no more together than the budget of a grant', async (t) => {
  const place = await storePlace(t);
  const stores = [await openStore(place), await openStore(place)] as const;
  t.after(() => Promise.all(stores.map((store) => store.close())));
  const nowMs = Date.now();
  const terms = newGrant(OWNER, { max_calls: BUDGET, expires_in: '1h', invocation: null, nowMs });
  const coverage = { sandbox: null, target: '{"fleet":true}', integration: null, actions: '["*"]', definitions: '[]' };
  await stores[0].write(async (tx) => {
    await insertOwner(tx, { org: OWNER.org, id: OWNER.id, nowMs });
    await insertGrant(tx, { ...terms, ...coverage });
  });
  const ask = {
    principal: { id: 'ann', org: OWNER.org, role: 'operator' },
    policy: PolicyDocument.parse({ v: 1 }),
    question: { action: 'prime', kinds: ['builtin'], risk: 'write', nodes: [], reason: undefined, confirmed: false },
    nowMs,
  } as const;

  const spent = await Promise.all(
    Array.from({ length: CALLS }, (_, n) => stores[n % 2 === 0 ? 0 : 1].write((tx) => spendGrant(tx, terms.id, ask))),
  );

  assert.equal(spent.filter((isSpent) => isSpent).length, BUDGET);
  const { used } = await stores[1].read.selectFrom('grants').select('used').executeTakeFirstOrThrow();
  assert.equal(used, BUDGET);
});
