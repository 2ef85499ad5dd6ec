import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openBrokerToken } from '../../../protocol/broker-token.js';
import { signEnvelope } from '../../../protocol/envelope.js';
import { generateKeyPair, type KeyPair } from '../../../runtime/key-file.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { startTestCore } from '../../support/core.js';
import { enrollNode } from '../../support/scripted-agent.js';

test('a node gets a new broker password for a nonce that it signs', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const { keys } = await enrollNode(services, 'pump-1', { groups: ['pumps'] });

  const { nonce } = services.enrollment.nonce();
  const { password, username } = await services.enrollment.renew(renewal(keys, { nonce }));

  const { list } = muster.keyring.keys;
  const { principal } = openBrokerToken(password, { keyOf: (kid) => list.keys.get(kid), nowMs: Date.now() });
  assert.equal(username, 'pump-1');
  assert.deepEqual(principal, { role: 'node', id: 'pump-1', org: 'default', groups: ['pumps'] });
});

test('a nonce works once, for its org, for the node that signs, and only when it was given out', async (t) => {
  const { services } = (await startTestCore(t)).core;
  const { keys } = await enrollNode(services, 'pump-1');
  const { keys: others } = await enrollNode(services, 'pump-2');
  const nonce = (): string => services.enrollment.nonce().nonce;

  const used = nonce();
  await services.enrollment.renew(renewal(keys, { nonce: used }));
  for (const jws of [
    renewal(keys, { nonce: used }),
    renewal(keys, { nonce: '6f9619ff-8b86-4d01-b42d-00c04fc964ff' }),
    renewal(keys, { nonce: nonce(), org: 'other' }),
    renewal(others, { nonce: nonce() }),
    renewal(generateKeyPair(), { nonce: nonce() }),
    'a.b.c',
  ]) {
    await assertRejectsCode(services.enrollment.renew(jws), 'unauthenticated');
  }
});

function renewal(keys: KeyPair, ask: Readonly<{ nonce: string; org?: string }>): string {
  return signEnvelope('muster-renew', JSON.stringify({ v: 1, org: 'default', node: 'pump-1', ...ask }), keys.signing);
}
